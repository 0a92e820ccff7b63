/**
 * Owns the waiting for a Redis that is away: calls wait for the connection, and are sent again when it was lost under them.
 * Every script is idempotent by an id that its caller made, so sending again is safe.
 *
 * Always holds: a call waits for `outageMs` at most, twice that if Redis hangs; one that has given up is never sent afterwards.
 */
import type { Redis } from "ioredis";
import { RedisAwayError } from "./away.ts";

/** Most tasks that wait for Redis to be back. */
const MOST_TASKS = 10_000;

/** How ioredis names a command that was under way when its connection was lost, and one that was not answered in time. */
const LOST = /^(Reached the max retries per request|Connection is closed|Stream isn't writeable)/;
const TIMED_OUT = /^Command timed out/;

export class Patience {
  readonly #redis: Redis;
  readonly #outageMs: number;
  readonly #tasks = new Set<() => Promise<unknown>>();
  #ready = Promise.withResolvers<void>();
  #wasReady: boolean;
  #isClosed = false;

  constructor(redis: Redis, outageMs: number) {
    this.#redis = redis;
    this.#outageMs = outageMs;
    this.#wasReady = redis.status === "ready";
    if (this.#wasReady) this.#ready.resolve();
    redis.on("ready", () => this.#welcome());
    redis.on("close", () => {
      // Failed attempts to connect close too: who waits already goes on waiting for the same promise.
      if (this.#wasReady) this.#ready = Promise.withResolvers();
      this.#wasReady = false;
    });
  }

  /** Calls `send` once Redis is there, and again when the connection was lost before the answer. */
  async run<Reply>(send: () => Promise<Reply>): Promise<Reply> {
    const deadline = performance.now() + this.#outageMs;
    let wasSent = false;
    for (;;) {
      if (!(await this.#isReadyBefore(deadline))) throw new RedisAwayError(wasSent);
      try {
        wasSent = true;
        return await send();
      } catch (error) {
        const message = error instanceof Error ? error.message : "";
        if (TIMED_OUT.test(message)) throw new RedisAwayError(true, error);
        if (!LOST.test(message)) throw error;
      }
    }
  }

  later(task: () => Promise<unknown>): void {
    if (this.#isClosed || this.#tasks.size >= MOST_TASKS) return;
    this.#tasks.add(task);
    if (this.#redis.status === "ready") this.#welcome();
  }

  close(): void {
    this.#isClosed = true;
    this.#tasks.clear();
    this.#ready.resolve();
  }

  #welcome(): void {
    this.#wasReady = true;
    this.#ready.resolve();
    for (const task of this.#tasks) {
      this.#tasks.delete(task);
      task().catch((error: unknown) => {
        if (error instanceof RedisAwayError) this.later(task);
      });
    }
  }

  async #isReadyBefore(deadline: number): Promise<boolean> {
    while (this.#redis.status !== "ready") {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0 || this.#isClosed) return false;
      const late = Promise.withResolvers<void>();
      const timer = setTimeout(late.resolve, leftMs);
      await Promise.race([this.#ready.promise, late.promise]).finally(() => clearTimeout(timer));
    }
    return true;
  }
}
