/**
 * Owns the listeners to events on this replica.
 *
 * A listener that has a place may follow: from now on, or from behind an event that it names. Then it first *catches
 * up*, page by page from the stream, until it is where the reader is; from there on it is *live*, in a channel.
 *
 * **Invariants**
 * - The feed has one Redis connection, however many listen, and none while there is no listener.
 * - A listener gets each event that it wants once and in order.
 * - Otherwise it gets the notice that some are lost, or its stream ends.
 * - The number of listeners is bounded.
 */
import type { ShopRedis } from "../redis/connections.ts";
import { Channels } from "./channels.ts";
import { readEnded, type EndedOrder } from "./ended.ts";
import { isBefore, isFinalEvent, type EventId, type Wanted } from "./event.ts";
import { concatBytes, createEncoders, type Encoders } from "./frame.ts";
import { createHistory, type History } from "./history.ts";
import { Reader } from "./reader.ts";

/** About 70 MB, at 7 KiB each. */
export const MOST_LISTENERS = 10_000;

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
  /** The last event that they have; undefined: what comes from the taking of the place on. */
  readonly after: EventId | undefined;
}

export interface Place {
  /** To be called once. */
  follow(following: Following): void;
  /** Gives the place back: nothing is sent any more. Calling it again does nothing. */
  leave(): void;
}

/** `full`: there are as many listeners as there may be. `closing`: the server is stopping. */
export type PlaceOutcome = { readonly kind: "taken"; readonly place: Place } | { readonly kind: "full" | "closing" };

interface Seat {
  isTaken: boolean;
  /** Where the reader was when it was taken. */
  position: EventId;
  listener?: Listener;
  leaveChannel?: () => void;
}

type FeedRedis = Pick<ShopRedis, "keys" | "openBlocking" | "run">;

export class EventFeed {
  readonly #redis: FeedRedis;
  readonly #history: History;
  readonly #encoders: Encoders;
  readonly #mostListeners: number;
  readonly #channels = new Channels();
  readonly #seats = new Set<Seat>();
  #reader: Reader | undefined;
  #opening: Promise<void> | undefined;
  #isClosed = false;

  constructor(redis: FeedRedis, shop: string, mostListeners = MOST_LISTENERS) {
    this.#redis = redis;
    this.#history = createHistory(redis.run);
    this.#encoders = createEncoders(shop);
    this.#mostListeners = mostListeners;
  }

  /** How many places are taken. */
  get listeners(): number {
    return this.#seats.size;
  }

  /** Takes a place. Rejects when Redis does not answer. */
  async takePlace(): Promise<PlaceOutcome> {
    if (this.#isClosed) return { kind: "closing" };
    if (this.#seats.size >= this.#mostListeners) return { kind: "full" };
    const seat: Seat = { isTaken: true, position: "" };
    this.#seats.add(seat);
    try {
      seat.position = await this.#findPosition();
    } catch (error) {
      this.#leave(seat);
      throw error;
    }
    if (!seat.isTaken) return { kind: "closing" };
    const place: Place = {
      follow: (following) => this.#follow(seat, following),
      leave: () => this.#leave(seat),
    };
    return { kind: "taken", place };
  }

  /**
   * The frames of the events that are left of an order that is over; no bytes: none is left. Rejects when Redis does
   * not answer.
   */
  readEnded(order: EndedOrder): Promise<Uint8Array> {
    return readEnded(this.#history, this.#encoders, order);
  }

  /** Ends all listeners, and admits no more. */
  close(): void {
    this.#isClosed = true;
    for (const seat of this.#seats) this.#end(seat);
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
    if (this.#seats.size === 0) return;
    this.#reader = new Reader({
      redis: this.#redis,
      after,
      heard: (events) => this.#channels.tell(events, this.#encoders.encode),
      readFixed: (orderIds) => this.#history.readFixed(orderIds),
      beforeGoingOn: async (position) => {
        if (await this.#history.isMissingAfter(position)) this.#endAll();
      },
    });
  }

  #position(): EventId {
    return this.#reader?.position ?? "0-0";
  }

  #follow(seat: Seat, following: Following): void {
    if (!seat.isTaken) return following.listener.end();
    seat.listener = following.listener;
    const after = following.after ?? seat.position;
    if (after === this.#position()) return this.#goLive(seat, following, after);
    // Redis does not answer: a listener that comes back goes on from where it is.
    this.#catchUp(seat, following, after).catch(() => this.#end(seat));
  }

  async #catchUp(seat: Seat, following: Following, after: EventId): Promise<void> {
    const { listener, wanted } = following;
    const { encode, encodeMissed } = this.#encoders;
    let cursor = after;
    while (seat.isTaken) {
      const before = this.#position();
      const { events, isMissing, upTo, newest } = await this.#history.readAfter(cursor, wanted);
      if (!seat.isTaken) return;
      if (isMissing) listener.send(encodeMissed(cursor));
      if (events.length > 0) listener.send(concatBytes(events.map(encode)));
      if (wanted.untilFinal && events.some(isFinalEvent)) return this.#end(seat);

      cursor = upTo;
      if (!isBefore(upTo, newest)) {
        // They named an event that is yet to come: from now on. Or the stream has lost its end: from where the reader
        // was.
        cursor = isBefore(newest, before) ? before : newest;
      }
      // The events that the reader brought meanwhile are one page more.
      if (!isBefore(cursor, this.#position())) return this.#goLive(seat, following, cursor);
      await listener.caughtUp();
    }
  }

  /** From here on they get what the reader brings. Up to `skipsUpTo` they have it, or do not want it. */
  #goLive(seat: Seat, { listener, wanted }: Following, skipsUpTo: EventId): void {
    seat.leaveChannel = this.#channels.join(wanted, {
      send: (frames) => listener.send(frames),
      end: () => this.#end(seat),
      skipsUpTo,
    });
  }

  /** A listener that was ended comes back, and gets what it missed. */
  #endAll(): void {
    for (const seat of this.#seats) if (seat.listener) this.#end(seat);
  }

  #end(seat: Seat): void {
    const { listener } = seat;
    this.#leave(seat);
    listener?.end();
  }

  #leave(seat: Seat): void {
    if (!seat.isTaken) return;
    seat.isTaken = false;
    seat.leaveChannel?.();
    this.#seats.delete(seat);
    if (this.#seats.size > 0) return;
    this.#reader?.close();
    this.#reader = undefined;
  }
}
