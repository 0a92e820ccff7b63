/**
 * Owns the read throttle: so many listeners read far back at once, first come first served.
 *
 * **Invariants**
 * - However many listeners read, Redis has time for all other calls.
 */

const MAX_READS_AT_ONCE = 2;
/** A long task is followed by a rest so many times as long. */
const REST_FACTOR = 2;
const MAX_REST_MS = 50;

export class ReadThrottle {
  #free = MAX_READS_AT_ONCE;
  readonly #waiting: (() => void)[] = [];

  /** Runs a task when it is its turn. If `isLong` says so of its result, the next task waits a while longer. */
  async run<Result>(task: () => Promise<Result>, isLong: (result: Result) => boolean): Promise<Result> {
    await this.#begin();
    const begunAt = performance.now();
    let restMs = 0;
    try {
      const result = await task();
      if (isLong(result)) restMs = Math.min(REST_FACTOR * (performance.now() - begunAt), MAX_REST_MS);
      return result;
    } finally {
      if (restMs > 0) setTimeout(() => this.#end(), restMs);
      else this.#end();
    }
  }

  async #begin(): Promise<void> {
    if (this.#free > 0) {
      this.#free -= 1;
      return;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push(resolve);
    await promise;
  }

  #end(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#free += 1;
  }
}
