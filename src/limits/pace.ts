/**
 * Owns how fast one address may send requests, whatever they are for: a token bucket an address, in this process.
 *
 * A bucket is one number: when it is full again ("generic cell rate algorithm"). Each request moves that time on by its
 * share.
 *
 * **Invariants**
 * - Nothing is asked of Redis: a look-up, an addition and a write a request.
 * - A bucket that was not used for BURST_SECONDS is full, so it is forgotten.
 * - The addresses remembered are bounded; of more, the longest unseen go first.
 */

/** So much comes at once, where nothing came before: 200 a second make 1,000. */
const BURST_SECONDS = 5;
const BURST_MS = BURST_SECONDS * 1000;

/** In each of two generations. About 10 MB for both. */
const MAX_ADDRESSES = 50_000;

export class Pace {
  readonly #intervalMs: number;
  readonly #now: () => number;
  /**
   * When each address's bucket is full again. An address that is seen moves into `recent`; `older` is dropped as a
   * whole.
   */
  #recent = new Map<string, number>();
  #older = new Map<string, number>();
  #rotatedAt: number;

  constructor(requestsPerSecond: number, now: () => number = () => performance.now()) {
    this.#intervalMs = 1000 / requestsPerSecond;
    this.#now = now;
    this.#rotatedAt = now();
  }

  /** Takes one request's share; how long until there is one, in ms, where there is none: then nothing is taken. */
  take(address: string): number {
    const now = this.#now();
    if (now - this.#rotatedAt >= BURST_MS || this.#recent.size >= MAX_ADDRESSES) this.#rotate(now);
    const fullAt = Math.max(now, this.#fullAt(address)) + this.#intervalMs;
    const waitMs = fullAt - now - BURST_MS;
    if (waitMs > 0) return waitMs;
    this.#recent.set(address, fullAt);
    return 0;
  }

  /** Whether the address has nothing left for now. */
  isUsedUp(address: string): boolean {
    return this.#fullAt(address) + this.#intervalMs - this.#now() > BURST_MS;
  }

  #fullAt(address: string): number {
    return this.#recent.get(address) ?? this.#older.get(address) ?? 0;
  }

  /** An address in `older` then was not let in for BURST_SECONDS, unless there are too many addresses. */
  #rotate(now: number): void {
    this.#older = this.#recent;
    this.#recent = new Map();
    this.#rotatedAt = now;
  }
}
