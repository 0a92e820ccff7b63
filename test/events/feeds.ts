/**
 * Owns what the tests of events share: a shop's stream on a real Redis that a test writes to, feeds on it, and who
 * listens to them.
 *
 * **Invariants**
 * - A frame that breaks the wire format fails the test that got it.
 */
import { createParser } from "eventsource-parser";
import { EVENT_TYPES, type EventId, type Wanted } from "../../src/events/event.ts";
import { OWN_EVENT_TYPE } from "../../src/formats.ts";
import { EventFeed, type Listener, type Subscription } from "../../src/events/feed.ts";
import { Fixture } from "../support/fixture.ts";
import type { TestRedis } from "../support/redis.ts";
import { unmark } from "../support/words.ts";

/** An event as it is read off the wire. */
export interface WireEvent {
  readonly id: string;
  readonly type: string;
  readonly subject?: string;
  readonly time?: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Reads frames, in whatever pieces they come, as strictly as the design spells them. */
export function createReader(heard: (event: WireEvent) => void, comment: () => void = () => {}) {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const parser = createParser({
    onEvent: ({ id = "", event = "", data }) => heard(readWireEvent(id, event, unmark(data))),
    onComment: comment,
    onError: (error) => {
      throw error;
    },
  });
  return (bytes: Uint8Array): void => parser.feed(decoder.decode(bytes, { stream: true }));
}

function readWireEvent(frameId: string, frameType: string, text: string): WireEvent {
  const fail = (why: string): never => {
    throw new Error(`${why}: ${frameId} ${frameType} ${text}`);
  };
  const { specversion, id, source, type, subject, time, datacontenttype, data, ...more } = JSON.parse(text) as Record<
    string,
    unknown
  >;
  if (specversion !== "1.0" || datacontenttype !== "application/json" || Object.keys(more).length > 0) {
    fail("no CloudEvent of ours");
  }
  if (!String(source).startsWith("/shops/")) fail("without a source");
  if (type !== frameType) fail("its type is another than the frame's");
  if (typeof data !== "object" || data === null) return fail("without data");
  const event = { type: frameType, data: data as WireEvent["data"] };
  if (type === "events.missed") return frameId === "" ? { ...event, id: "" } : fail("a frame that can be come back to");

  if (id !== frameId) fail("its id is another than the frame's");
  const isOwn = new RegExp(`^${OWN_EVENT_TYPE}$`).test(frameType);
  if (!isOwn && !(EVENT_TYPES as readonly unknown[]).includes(type)) fail("an unknown type");
  if (time !== new Date(Number.parseInt(frameId, 10)).toISOString()) fail("another time than its id's");
  const isOfOrder = isOwn || frameType.startsWith("order.") || frameType.startsWith("payment.");
  if (isOfOrder !== (subject !== undefined)) fail("a subject that does not fit");
  if (typeof subject === "string" && event.data.order_id !== subject) fail("an order with another id");
  return { ...event, id: frameId, time: String(time), ...(typeof subject === "string" ? { subject } : {}) };
}

/** What a test appends. */
export interface Draft {
  readonly type?: string;
  readonly orderId?: string;
  /** JSON members without braces. */
  readonly members?: string;
}

/** An event as its entry holds it. */
function fieldsOf({ type = "order.placed", orderId = "a", members = '"n":1' }: Draft): [string, string] {
  return [type, `${type.startsWith("order.") ? orderId : ""}\t${members}`];
}

export class FeedFixture extends Fixture {
  readonly key = `{${this.shop}}:events`;
  /** The number of the last event, and its time. */
  #numbered = 0;
  #ms = 0;

  static async open(server?: TestRedis): Promise<FeedFixture> {
    return new FeedFixture(await Fixture.server(server));
  }

  /** Opens one more replica's feed. */
  async feed(maxListeners?: number): Promise<EventFeed> {
    const feed = new EventFeed(await this.openRedis(), this.shop, maxListeners);
    this.opened(() => feed.close());
    return feed;
  }

  /** Appends an event in an entry of its own, as `redis/lib/events.lua` does: at the clock's time, or at `ms`. */
  async append(draft: Draft = {}, ms?: number): Promise<EventId> {
    const [id = ""] = await this.appendTogether([draft], ms);
    return id;
  }

  /** Appends so many in one go, each in an entry of its own; resolves to their ids. */
  async appendMany(count: number, draft?: Draft): Promise<EventId[]> {
    return await Promise.all(Array.from({ length: count }, () => this.append(draft)));
  }

  /** Appends events in one entry, as one run of scripts does; resolves to their ids. */
  async appendTogether(drafts: readonly Draft[], ms?: number): Promise<EventId[]> {
    const { id, fields, ids } = this.nextEntry(drafts, ms);
    await this.outside.xadd(this.key, id, ...fields);
    return ids;
  }

  /** The entry that is to be appended next. Events are numbered without gaps; it has its last event's id. */
  nextEntry(drafts: readonly Draft[], ms?: number): { id: EventId; fields: string[]; ids: EventId[] } {
    this.#ms = ms ?? Math.max(this.#ms, Date.now());
    const first = this.#numbered + 1;
    this.#numbered += drafts.length;
    const ids = drafts.map((_, at) => `${this.#ms}-${first + at}`);
    return { id: `${this.#ms}-${this.#numbered}`, fields: drafts.flatMap(fieldsOf), ids };
  }
}

/** A listener in memory. It reads at once, unless it is to be behind. */
export class TestListener implements Listener {
  readonly heard: WireEvent[] = [];
  ended = 0;
  /** How many writes it took. */
  writes = 0;
  readonly subscription: Subscription;
  /** Called for each event. */
  onEvent: (event: WireEvent) => void = () => {};
  onEnd: () => void = () => {};
  readonly #read = createReader((event) => {
    this.heard.push(event);
    this.onEvent(event);
  });
  #behind: ReturnType<typeof Promise.withResolvers<void>> | undefined;

  constructor(subscription: Subscription) {
    this.subscription = subscription;
  }

  /** Subscribes and follows. */
  static async listen(feed: EventFeed, wanted: Wanted = {}, after?: EventId): Promise<TestListener> {
    const listener = await TestListener.subscribe(feed);
    listener.follow(wanted, after);
    return listener;
  }

  /** Subscribes. */
  static async subscribe(feed: EventFeed): Promise<TestListener> {
    const outcome = await feed.subscribe();
    if (outcome.kind !== "subscribed") throw new Error(`no subscription: ${outcome.kind}`);
    return new TestListener(outcome.subscription);
  }

  get ids(): string[] {
    return this.heard.map(({ id }) => id);
  }

  get types(): string[] {
    return this.heard.map(({ type }) => type);
  }

  follow(wanted: Wanted = {}, after?: EventId): void {
    this.subscription.follow({ listener: this, wanted, after });
  }

  fallBehind(): void {
    this.#behind = Promise.withResolvers();
  }

  catchUp(): void {
    this.#behind?.resolve();
    this.#behind = undefined;
  }

  send(frames: Uint8Array): void {
    if (this.ended > 0) throw new Error("delivered something after its end");
    this.writes += 1;
    this.#read(frames);
  }

  caughtUp(): Promise<void> | undefined {
    return this.#behind?.promise;
  }

  end(): void {
    this.ended += 1;
    this.onEnd();
  }
}
