/**
 * Owns the one Redis connection on which a replica reads events, for all listeners.
 *
 * **Invariants**
 * - Each event is passed on once and in order, whatever becomes of the connection.
 * - Every block is bounded.
 */
import type { Redis } from "ioredis";
import type { ShopRedis } from "../redis/connections.ts";
import { completeEvent, isFinalEvent, readEntry, type Change, type EventId, type ShopEvent } from "./event.ts";

/** Longest XREAD: a connection that died in silence is noticed soon after it. */
const BLOCK_SECONDS = 10;
const MAX_ENTRIES_PER_READ = 100;
/** Orders whose fixed members are remembered: the first events of an order come close together. */
const MAX_REMEMBERED = 2000;
const RETRY_MS = 50;

export interface ReaderOptions {
  readonly redis: Pick<ShopRedis, "keys" | "openBlocking">;
  /** Events after this one are passed on. */
  readonly after: EventId;
  /** Takes some events, never none. No more are read until it resolves; it must not reject. */
  readonly heard: (events: readonly ShopEvent[]) => Promise<void>;
  /** Asked after a failure, before it reads on: rejects when that has to be tried again. */
  readonly beforeGoingOn: (after: EventId) => Promise<void>;
  /** The members that never change of these orders, as JSON. Rejects when Redis does not answer. */
  readonly readFixed: (orderIds: readonly string[]) => Promise<ReadonlyMap<string, string>>;
}

type Entry = readonly [id: string, fields: readonly string[]];

export class Reader {
  readonly #options: ReaderOptions;
  readonly #connection: Redis;
  readonly #key: string;
  #position: EventId;
  readonly #fixed = new Map<string, string>();
  #isClosed = false;

  constructor(options: ReaderOptions) {
    this.#options = options;
    this.#key = options.redis.keys.events;
    this.#position = options.after;
    this.#connection = options.redis.openBlocking("events", BLOCK_SECONDS);
    void this.#run();
  }

  /** Every event up to this one has been passed on, or is being passed on. */
  get position(): EventId {
    return this.#position;
  }

  close(): void {
    this.#isClosed = true;
    this.#connection.disconnect();
  }

  async #run(): Promise<void> {
    let hasFailed = false;
    while (!this.#hasEnded()) {
      try {
        if (hasFailed) await this.#options.beforeGoingOn(this.#position);
        hasFailed = false;
        await this.#read();
      } catch {
        // A lost connection, which is reported as an outage: the reader goes on behind the last event that came.
        hasFailed = true;
        if (!this.#hasEnded()) await Bun.sleep(RETRY_MS);
      }
    }
  }

  async #read(): Promise<void> {
    const bounds = ["COUNT", MAX_ENTRIES_PER_READ, "BLOCK", BLOCK_SECONDS * 1000] as const;
    const reply = await this.#connection.xread(...bounds, "STREAMS", this.#key, this.#position);
    const entries: readonly Entry[] = reply?.[0]?.[1] ?? [];
    const last = entries.at(-1);
    if (!last || this.#hasEnded()) return;
    const events = await this.#complete(entries.flatMap((entry) => readEntry(entry, this.#position)));
    if (this.#hasEnded()) return;
    this.#position = last[0];
    await this.#options.heard(events);
  }

  /** Adds the members that never change of each order; read once, as long as it is remembered. */
  async #complete(changes: readonly Change[]): Promise<ShopEvent[]> {
    const unknown = changes.filter(({ orderId }) => orderId !== "" && !this.#fixed.has(orderId));
    if (unknown.length > 0) {
      const read = await this.#options.readFixed([...new Set(unknown.map(({ orderId }) => orderId))]);
      for (const [orderId, fixed] of read) this.#fixed.set(orderId, fixed);
    }
    const events = changes.map((change) => {
      const event = completeEvent(change, this.#fixed.get(change.orderId) ?? "");
      // The drink of a reservation is fixed only once it is placed.
      if (isFinalEvent(event) || event.type === "order.reserved") this.#fixed.delete(change.orderId);
      return event;
    });
    for (const orderId of this.#fixed.keys()) {
      if (this.#fixed.size <= MAX_REMEMBERED) break;
      this.#fixed.delete(orderId);
    }
    return events;
  }

  /** A method, for `close` may come during any await. */
  #hasEnded(): boolean {
    return this.#isClosed;
  }
}
