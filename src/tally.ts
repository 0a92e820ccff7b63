/**
 * Owns how things are counted by name, for as long as the process lives.
 *
 * **Invariants**
 * - A count never falls.
 * - Callers give names of a list: there are as many counts as that is long.
 */
export class Tally {
  readonly #counts = new Map<string, number>();

  add(name: string, count = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + count);
  }

  /** Names and counts, in the order in which they came. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }
}
