/**
 * Owns the listeners to events on this replica.
 *
 * A listener that has a subscription may follow: from now on, or from behind an event that it names. Then it first
 * *catches up*, page by page from the stream, until it is where the reader is; from there on it is *live*, in a
 * channel.
 *
 * **Invariants**
 * - The feed has one Redis connection, however many listen, and none while there is no listener.
 * - A listener gets each event that it wants once and in order.
 * - Otherwise it gets the notice that some are lost, or its stream ends.
 * - The number of listeners is bounded.
 */
import type { ShopRedis } from "../redis/connections.ts";
import { Channels } from "./channels.ts";
import { readJourney, type Traveller } from "./journey.ts";
import { readReplay, type Ended } from "./replay.ts";
import { isBefore, isLast, type EventId, type Wanted } from "./event.ts";
import { concatBytes, createEncoders, type Encoders } from "./sse-frame.ts";
import { createHistory, type History } from "./history.ts";
import { Reader } from "./reader.ts";

/** About 70 MB, at 7 KiB each. */
export const MAX_LISTENERS = 10_000;

/** A client on an event stream. */
export interface Listener {
  /** Takes whole frames, and keeps them while its client is behind. */
  send(frames: Uint8Array): void;
  /** Resolves once its client has taken what was sent; undefined where it has. */
  caughtUp(): Promise<void> | undefined;
  /** Nothing comes any more. */
  end(): void;
}

export interface Following {
  readonly listener: Listener;
  readonly wanted: Wanted;
  /** The last event that they have; undefined: what comes from the subscription on. */
  readonly after: EventId | undefined;
}

export interface Subscription {
  /** To be called once. */
  follow(following: Following): void;
  /** Ends the subscription: nothing is sent any more. Calling it again does nothing. */
  unsubscribe(): void;
}

/** `full`: there are as many listeners as there may be. `closing`: the server is stopping. */
export type SubscribeOutcome =
  | { readonly kind: "subscribed"; readonly subscription: Subscription }
  | { readonly kind: "full" | "closing" };

interface Subscriber {
  isSubscribed: boolean;
  /** Where the reader was when it was made. */
  position: EventId;
  listener?: Listener;
  leaveChannel?: () => void;
}

type FeedRedis = Pick<ShopRedis, "keys" | "openBlocking" | "run">;

export class EventFeed {
  readonly #redis: FeedRedis;
  readonly #history: History;
  readonly #encoders: Encoders;
  readonly #maxListeners: number;
  readonly #channels = new Channels();
  readonly #subscribers = new Set<Subscriber>();
  #reader: Reader | undefined;
  #opening: Promise<void> | undefined;
  #isClosed = false;

  constructor(redis: FeedRedis, shop: string, maxListeners = MAX_LISTENERS) {
    this.#redis = redis;
    this.#history = createHistory(redis.run);
    this.#encoders = createEncoders(shop);
    this.#maxListeners = maxListeners;
  }

  /** How many subscriptions there are. */
  get listeners(): number {
    return this.#subscribers.size;
  }

  /** Makes a subscription. Rejects when Redis does not answer. */
  async subscribe(): Promise<SubscribeOutcome> {
    if (this.#isClosed) return { kind: "closing" };
    if (this.#subscribers.size >= this.#maxListeners) return { kind: "full" };
    const subscriber: Subscriber = { isSubscribed: true, position: "" };
    this.#subscribers.add(subscriber);
    try {
      subscriber.position = await this.#findPosition();
    } catch (error) {
      this.#unsubscribe(subscriber);
      throw error;
    }
    if (!subscriber.isSubscribed) return { kind: "closing" };
    const subscription: Subscription = {
      follow: (following) => this.#follow(subscriber, following),
      unsubscribe: () => this.#unsubscribe(subscriber),
    };
    return { kind: "subscribed", subscription };
  }

  /**
   * The replay of what is over, as frames; no bytes: no event is left. Rejects when Redis does not answer.
   */
  readReplay(ended: Ended): Promise<Uint8Array> {
    return readReplay(this.#history, this.#encoders, ended);
  }

  /** The events of an order, each as JSON. Rejects when Redis does not answer. */
  async readJourney(traveller: Traveller): Promise<{ readonly events: readonly string[]; readonly isWhole: boolean }> {
    const { events, isWhole } = await readJourney(this.#history, traveller);
    return { events: events.map(this.#encoders.toJson), isWhole };
  }

  /** Ends all listeners, and admits no more. */
  close(): void {
    this.#isClosed = true;
    for (const subscriber of this.#subscribers) this.#end(subscriber);
  }

  /** Where the reader is, once there is one. */
  async #findPosition(): Promise<EventId> {
    while (!this.#reader && !this.#isClosed) {
      this.#opening ??= this.#openReader().finally(() => {
        this.#opening = undefined;
      });
      await this.#opening;
    }
    return this.#position();
  }

  async #openReader(): Promise<void> {
    const after = await this.#history.findNewest();
    if (this.#subscribers.size === 0) return;
    this.#reader = new Reader({
      redis: this.#redis,
      after,
      heard: (events) => this.#channels.deliver(events, this.#encoders.encode),
      readFixed: (orderIds) => this.#history.readFixed(orderIds),
      beforeGoingOn: async (position) => {
        if (await this.#history.isMissingAfter(position)) this.#endAll();
      },
    });
  }

  #position(): EventId {
    return this.#reader?.position ?? "0-0";
  }

  #follow(subscriber: Subscriber, following: Following): void {
    if (!subscriber.isSubscribed) return following.listener.end();
    subscriber.listener = following.listener;
    const after = following.after ?? subscriber.position;
    if (after === this.#position()) return this.#goLive(subscriber, following, after);
    // Redis does not answer: a listener that comes back goes on from where it is.
    this.#catchUp(subscriber, following, after).catch(() => this.#end(subscriber));
  }

  async #catchUp(subscriber: Subscriber, following: Following, after: EventId): Promise<void> {
    const { listener, wanted } = following;
    const { encode, encodeMissed } = this.#encoders;
    let cursor = after;
    while (subscriber.isSubscribed) {
      const before = this.#position();
      const { events, isMissing, upTo, newest } = await this.#history.readAfter(cursor, wanted);
      if (!subscriber.isSubscribed) return;
      if (isMissing) listener.send(encodeMissed(cursor));
      if (events.length > 0) listener.send(concatBytes(events.map(encode)));
      if (events.some((event) => isLast(event, wanted))) return this.#end(subscriber);

      cursor = upTo;
      if (!isBefore(upTo, newest)) {
        // They named an event that is yet to come: from now on. Or the stream has lost its end: from where the reader
        // was.
        cursor = isBefore(newest, before) ? before : newest;
      }
      // The events that the reader brought meanwhile are one page more.
      if (!isBefore(cursor, this.#position())) return this.#goLive(subscriber, following, cursor);
      await listener.caughtUp();
    }
  }

  /** From here on they get what the reader brings. Up to `skipsUpTo` they have it, or do not want it. */
  #goLive(subscriber: Subscriber, { listener, wanted }: Following, skipsUpTo: EventId): void {
    subscriber.leaveChannel = this.#channels.join(wanted, {
      send: (frames) => listener.send(frames),
      end: () => this.#end(subscriber),
      skipsUpTo,
    });
  }

  /** A listener that was ended comes back, and gets what it missed. */
  #endAll(): void {
    for (const subscriber of this.#subscribers) if (subscriber.listener) this.#end(subscriber);
  }

  #end(subscriber: Subscriber): void {
    const { listener } = subscriber;
    this.#unsubscribe(subscriber);
    listener?.end();
  }

  #unsubscribe(subscriber: Subscriber): void {
    if (!subscriber.isSubscribed) return;
    subscriber.isSubscribed = false;
    subscriber.leaveChannel?.();
    this.#subscribers.delete(subscriber);
    if (this.#subscribers.size > 0) return;
    this.#reader?.close();
    this.#reader = undefined;
  }
}
