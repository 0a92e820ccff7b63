/**
 * Owns the count of wrong guesses by address.
 *
 * **Invariants**
 * - After too many wrong guesses within the window, further ones are blocked until the oldest has left it.
 * - Memory is bounded.
 */

const MOST_WRONG = 10;
const WINDOW_MS = 60_000;
/** The one that was seen first goes first. */
const MOST_ADDRESSES = 10_000;

export class Attempts {
  /** When each address guessed wrong, by `performance.now()`: the last MOST_WRONG times. */
  readonly #wrongAt = new Map<string, number[]>();

  /** How long wrong guesses of the address are blocked, in ms; 0 while they are not. */
  blockedMs(address: string): number {
    const times = this.#wrongAt.get(address) ?? [];
    if (times.length < MOST_WRONG) return 0;
    return Math.max(0, (times[0] ?? 0) + WINDOW_MS - performance.now());
  }

  noteWrong(address: string): void {
    const times = [...(this.#wrongAt.get(address) ?? []), performance.now()].slice(-MOST_WRONG);
    this.#wrongAt.delete(address);
    this.#wrongAt.set(address, times);
    const oldest = this.#wrongAt.size > MOST_ADDRESSES ? this.#wrongAt.keys().next().value : undefined;
    if (oldest !== undefined) this.#wrongAt.delete(oldest);
  }
}
