/**
 * Owns how often a page reads something anew while events pour in.
 *
 * **Invariants**
 * - The first need is met at once, and those that come meanwhile by one read after a rest.
 * - One read at a time; one that takes long is followed by a longer rest.
 */
const REST_FACTOR = 20;

export class Steady {
  readonly #read: () => Promise<unknown>;
  readonly #everyMs: number;
  #isReading = false;
  #isNeeded = false;
  #isOver = false;
  #rest: ReturnType<typeof setTimeout> | undefined;

  /** `read` does not reject. `everyMs`: from the end of a read to the next one, at least. */
  constructor(read: () => Promise<unknown>, everyMs: number) {
    this.#read = read;
    this.#everyMs = everyMs;
  }

  /** What was read may be old. */
  need(): void {
    if (this.#isReading || this.#rest !== undefined) this.#isNeeded = true;
    else if (!this.#isOver) void this.#go();
  }

  stop(): void {
    this.#isOver = true;
    clearTimeout(this.#rest);
    this.#rest = undefined;
  }

  async #go(): Promise<void> {
    this.#isNeeded = false;
    this.#isReading = true;
    const begunMs = performance.now();
    await this.#read();
    this.#isReading = false;
    if (this.#isOver) return;
    const restMs = Math.max(this.#everyMs, REST_FACTOR * (performance.now() - begunMs));
    this.#rest = setTimeout(
      () => {
        this.#rest = undefined;
        if (this.#isNeeded) void this.#go();
      },
      Math.min(restMs, 10 * this.#everyMs),
    );
  }
}
