/**
 * Owns the rounds of what takes entries from a stream: one after another, until it is closed.
 *
 * **Invariants**
 * - Every block is bounded, and pauses grow between rounds that fail.
 * - A failure is logged once, until a round succeeds. An outage and a damaged key have lines of their own.
 */
import type { Redis } from "ioredis";
import { maxPauseMs, type BackOff } from "../back-off.ts";
import type { Log } from "../log.ts";
import { between, pause } from "../pause.ts";
import { within } from "../within.ts";
import type { ShopRedis } from "./connections.ts";
import { ShopDamagedError } from "./damaged.ts";
import { isWrongType } from "./errors.ts";
import { isRedisUnavailable } from "./unavailable.ts";

const FAILED: BackOff = { firstMs: 100, maxMs: 5000 };
const STOP_MS = 2000;

export interface StreamRoundsOptions {
  readonly redis: Pick<ShopRedis, "openBlocking">;
  readonly connectionName: string;
  /** The stream's key. */
  readonly stream: string;
  /** What is in the stream, for the log. */
  readonly what: string;
  /** How long a wait for a new entry takes at most. */
  readonly blockMs: number;
  readonly log: Log;
  /** Takes what there is, or waits for more. Resolves to the longest pause before the next round, ms. */
  readonly round: () => Promise<number>;
}

export class StreamRounds {
  readonly #options: StreamRoundsOptions;
  readonly #connection: Redis;
  readonly #stopping = new AbortController();
  #ended: Promise<void> | undefined;
  #isFailing = false;

  constructor(options: StreamRoundsOptions) {
    this.#options = options;
    this.#connection = options.redis.openBlocking(options.connectionName, Math.ceil(options.blockMs / 1000));
  }

  begin(): void {
    this.#ended ??= this.#run();
  }

  get isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  /** Resolves once there is an entry after this one, or the block is over. Rejects when the connection is lost. */
  async untilNew(id: string): Promise<void> {
    const { stream, blockMs } = this.#options;
    await this.#connection.xread("COUNT", 1, "BLOCK", blockMs, "STREAMS", stream, id);
  }

  /** The pause after so many failures in a row. */
  async pauseAfter(failures: number): Promise<void> {
    await this.#pause(maxPauseMs(failures, FAILED));
  }

  /** Resolves within a bound: to whether the round under way has ended. */
  async close(): Promise<boolean> {
    this.#stopping.abort();
    this.#connection.disconnect();
    const ended = this.#ended?.then(() => true) ?? Promise.resolve(true);
    return (await within(STOP_MS, ended)) ?? false;
  }

  async #run(): Promise<void> {
    let failures = 0;
    while (!this.isStopping) {
      try {
        const pauseMs = await this.#options.round();
        failures = 0;
        this.#isFailing = false;
        if (pauseMs > 0) await this.#pause(pauseMs);
      } catch (error) {
        failures += 1;
        this.#noteError(error);
        await this.pauseAfter(failures);
      }
    }
  }

  /** A random pause, which the stop ends. */
  async #pause(maxMs: number): Promise<void> {
    await pause(between(0, maxMs), this.#stopping.signal);
  }

  #noteError(error: unknown): void {
    const isDamaged = error instanceof ShopDamagedError || isWrongType(error);
    if (this.#isFailing || this.isStopping || isDamaged || isRedisUnavailable(error)) return;
    this.#isFailing = true;
    this.#options.log.error({ err: error }, `${this.#options.what} can't be taken: trying again`);
  }
}
