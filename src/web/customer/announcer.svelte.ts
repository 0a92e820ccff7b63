/**
 * Owns how the page speaks up: the line at its top, words for screen readers, and the chime.
 *
 * **Invariants**
 * - A chime rings a few times, and only for as long as it is wanted.
 */
import { Chime } from "./chime.ts";

const RINGS = 3;
const RING_MS = 6000;

/** A line at the top of the page. */
export interface Notice {
  readonly tone: "good" | "warn" | "bad";
  readonly text: string;
}

export class Announcer {
  readonly #chime = new Chime();
  /** False: the browser keeps the page silent until the customer touches it. */
  mayRing = $state(navigator.userActivation?.hasBeenActive ?? true);
  notice = $state.raw<Notice>();
  /** For screen readers. */
  announcement = $state("");

  /** To be called from a touch or a key: browsers let a page sound only after one. */
  unlockChime(): void {
    this.#chime.unlock();
    this.mayRing = true;
  }

  ring(isWanted: () => boolean, times = RINGS): void {
    if (times === 0 || !isWanted()) return;
    this.#chime.ring();
    setTimeout(() => this.ring(isWanted, times - 1), RING_MS);
  }
}
