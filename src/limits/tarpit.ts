/**
 * Owns the tarpit: an address that is known to be too fast is rejected a little later. Clients that ask again the
 * moment they are rejected then cost a few requests a second, not all that the server can do.
 *
 * **Invariants**
 * - A bounded number of requests wait here. One that comes when it is full is rejected at once.
 * - Those who wait are let go one by one: all at once, they would come back all at once.
 */

const MEAN_DELAY_MS = 250;
const MAX_WAITING = 2000;

export class Tarpit {
  #waiting = 0;

  /** Resolves after the delay, at most one and a half times the mean, or at once when too many wait already. */
  async wait(): Promise<void> {
    if (this.#waiting >= MAX_WAITING) return;
    this.#waiting += 1;
    await Bun.sleep(MEAN_DELAY_MS * (0.5 + Math.random()));
    this.#waiting -= 1;
  }
}
