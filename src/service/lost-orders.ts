/**
 * Owns the warning of lost orders: customers waited for them, and Redis no longer has them.
 *
 * **Invariants**
 * - A loss is one line with its number, however many customers it strikes.
 * - A line comes 3 s after the last loss, and at most 35 s after the first.
 */
import type { Log } from "../log.ts";

const QUIET_MS = 3000;
/** Longer than a lane blocks: within that time, each has read its orders again. */
const MAX_DELAY_MS = 35_000;

export class LostOrders {
  readonly #log: Log;
  #customers = 0;
  #firstAtMs = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Counts one customer whose order is gone. */
  count(): void {
    const nowMs = performance.now();
    if (this.#customers === 0) this.#firstAtMs = nowMs;
    this.#customers += 1;
    clearTimeout(this.#timer);
    const leftMs = this.#firstAtMs + MAX_DELAY_MS - nowMs;
    this.#timer = setTimeout(() => this.#warn(), Math.max(0, Math.min(QUIET_MS, leftMs)));
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#warn();
  }

  #warn(): void {
    if (this.#customers === 0) return;
    const customers = this.#customers;
    this.#customers = 0;
    this.#log.warn({ customers }, "Redis lost orders that customers waited for: check its persistence and eviction");
  }
}
