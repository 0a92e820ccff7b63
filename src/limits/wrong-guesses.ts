/**
 * Owns the wrong guesses at a token or at a finish link, counted by address.
 *
 * **Invariants**
 * - After too many wrong guesses within the window, further ones are blocked until the oldest has left it.
 * - Memory is bounded.
 */

const MAX_WRONG_GUESSES = 10;
const WINDOW_MS = 60_000;
/** The one that was seen first goes first. */
const MAX_ADDRESSES = 10_000;

export class WrongGuesses {
  /** When each address guessed wrong, by `performance.now()`: the last MAX_WRONG_GUESSES times. */
  readonly #guessedAt = new Map<string, number[]>();

  /** How long wrong guesses of the address are blocked, in ms; 0 while they are not. */
  blockedMs(address: string): number {
    const times = this.#guessedAt.get(address) ?? [];
    if (times.length < MAX_WRONG_GUESSES) return 0;
    return Math.max(0, (times[0] ?? 0) + WINDOW_MS - performance.now());
  }

  note(address: string): void {
    const times = [...(this.#guessedAt.get(address) ?? []), performance.now()].slice(-MAX_WRONG_GUESSES);
    this.#guessedAt.delete(address);
    this.#guessedAt.set(address, times);
    const oldest = this.#guessedAt.size > MAX_ADDRESSES ? this.#guessedAt.keys().next().value : undefined;
    if (oldest !== undefined) this.#guessedAt.delete(oldest);
  }
}
