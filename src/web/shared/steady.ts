/**
 * Owns how often a page reads something anew while events pour in.
 *
 * **Invariants**
 * - The first need is met at once, and those that come meanwhile by one read after a rest.
 * - One read at a time; one that takes long is followed by a longer rest, of 5 s at most: staff act on what they see.
 * - A user who asks need not wait for the end of a rest.
 */
const REST_FACTOR = 20;
const MAX_REST_MS = 5000;

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

  /** The user asks, or the connection is back: a rest ends now. */
  hurry(): void {
    clearTimeout(this.#rest);
    this.#rest = undefined;
    this.need();
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
    const restMs = Math.min(REST_FACTOR * (performance.now() - begunMs), MAX_REST_MS);
    this.#rest = setTimeout(
      () => {
        this.#rest = undefined;
        if (this.#isNeeded) void this.#go();
      },
      Math.max(this.#everyMs, restMs),
    );
  }
}
