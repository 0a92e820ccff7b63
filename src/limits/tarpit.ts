/**
 * Owns the slowness of refusals: an address that is known to be out of tokens is told so a little later.
 * Clients that ask again the moment they are refused then cost a few requests a second, not all that the server can do.
 * Always holds: a bounded number wait here; whoever comes when it is full is refused at once.
 */

const DELAY_MS = 250;
const MOST_WAITING = 2000;

export class Tarpit {
  #waiting = 0;

  /** Resolves after the delay, or at once when too many wait already. */
  async wait(): Promise<void> {
    if (this.#waiting >= MOST_WAITING) return;
    this.#waiting += 1;
    await Bun.sleep(DELAY_MS);
    this.#waiting -= 1;
  }
}
