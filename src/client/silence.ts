/**
 * Owns the bound on how long a connection may be silent: a half-open one is silent for ever.
 *
 * **Invariants**
 * - No timer outlives the watch.
 */
export class SilenceWatch {
  readonly #maxMs: number;
  readonly #onSilence: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isOver = false;

  /** Watches from now on; calls `onSilence` once nothing has come for `maxMs`. */
  constructor(maxMs: number, onSilence: () => void) {
    this.#maxMs = maxMs;
    this.#onSilence = onSilence;
    this.heard();
  }

  /** Something came. */
  heard(): void {
    clearTimeout(this.#timer);
    if (this.#isOver) return;
    this.#timer = setTimeout(this.#onSilence, this.#maxMs);
  }

  stop(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }
}
