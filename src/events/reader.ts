/**
 * Owns the one Redis connection on which a replica hears of events, for all who listen.
 * Always holds: each event is told once and in order, whatever becomes of the connection; every block is bounded.
 */
import type { Redis } from "ioredis";
import type { ShopRedis } from "../redis/connections.ts";
import type { EventId, ShopEvent } from "./event.ts";

/** Longest XREAD: a connection that died in silence is noticed soon after it. */
const BLOCK_SECONDS = 10;
const MOST_AT_ONCE = 500;
const RETRY_MS = 50;

export interface ReaderOptions {
  readonly redis: Pick<ShopRedis, "keys" | "openBlocking">;
  /** What comes after it is told. */
  readonly after: EventId;
  /** Takes some events, never none. No more are read until it resolves; it must not reject. */
  readonly heard: (events: readonly ShopEvent[]) => Promise<void>;
  /** Asked after a failure, before it reads on: rejects when that has to be tried again. */
  readonly beforeGoingOn: (after: EventId) => Promise<void>;
}

type Entry = readonly [id: string, fields: readonly string[]];

export class Reader {
  readonly #options: ReaderOptions;
  readonly #connection: Redis;
  readonly #key: string;
  #position: EventId;
  #isClosed = false;

  constructor(options: ReaderOptions) {
    this.#options = options;
    this.#key = options.redis.keys.events;
    this.#position = options.after;
    this.#connection = options.redis.openBlocking("events", BLOCK_SECONDS);
    void this.#run();
  }

  /** Everything up to this event has been told, or is being told. */
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
        // A lost connection, told as an outage: it goes on behind the last event that came.
        hasFailed = true;
        if (!this.#hasEnded()) await Bun.sleep(RETRY_MS);
      }
    }
  }

  async #read(): Promise<void> {
    const bounds = ["COUNT", MOST_AT_ONCE, "BLOCK", BLOCK_SECONDS * 1000] as const;
    const reply = await this.#connection.xread(...bounds, "STREAMS", this.#key, this.#position);
    const entries: readonly Entry[] = reply?.[0]?.[1] ?? [];
    const last = entries.at(-1);
    if (!last || this.#hasEnded()) return;
    this.#position = last[0];
    await this.#options.heard(entries.map(readEntry));
  }

  /** A method, for `close` may come during any await. */
  #hasEnded(): boolean {
    return this.#isClosed;
  }
}

/** As `append_to_events` writes them: type, order id, data, each after its name. */
function readEntry([id, [, type = "", , orderId = "", , data = "{}"]]: Entry): ShopEvent {
  return { id, type, orderId, data };
}
