/**
 * Owns the rejection log: the summary of the requests that limits turned away.
 *
 * **Invariants**
 * - A flood is one line a minute in the log, and its memory is bounded.
 */
import type { Log } from "../log.ts";
import { Tally } from "../tally.ts";

export const REJECTION_REASONS = [
  "too_many_requests",
  "too_many_orders",
  "too_many_held",
  "too_many_for_order",
  "room_full",
] as const;
export type RejectionReason = (typeof REJECTION_REASONS)[number];

const SUMMARY_EVERY_MS = 60_000;
const MAX_ADDRESSES = 10_000;

export class RejectionLog {
  readonly #log: Log;
  /** Of all times, where others are counted too. */
  readonly #refusals: Tally;
  readonly #counts = new Map<RejectionReason, number>();
  readonly #addresses = new Set<string>();
  readonly #summaries: ReturnType<typeof setInterval>;

  constructor(log: Log, refusals = new Tally()) {
    this.#log = log;
    this.#refusals = refusals;
    this.#summaries = setInterval(() => this.#summarize(), SUMMARY_EVERY_MS);
  }

  count(reason: RejectionReason, address: string): void {
    this.#refusals.add(reason);
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + 1);
    if (this.#addresses.size < MAX_ADDRESSES) this.#addresses.add(address);
  }

  close(): void {
    clearInterval(this.#summaries);
    this.#summarize();
  }

  #summarize(): void {
    if (this.#counts.size === 0) return;
    this.#log.warn({ ...Object.fromEntries(this.#counts), addresses: this.#addresses.size }, "requests refused");
    this.#counts.clear();
    this.#addresses.clear();
  }
}
