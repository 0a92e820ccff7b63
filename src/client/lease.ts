/**
 * Owns how long the leases of a worker's queue are, as the server says.
 *
 * **Invariants**
 * - It is asked for when an order takes long, and anew after a minute: a deploy may have changed it.
 */

/** A server may not say it, or not for now. */
const FALLBACK_SECONDS = 60;
const FRESH_MS = 60_000;

export class LeaseTerm {
  readonly #ask: () => Promise<number | undefined>;
  #asked: { readonly atMs: number; readonly seconds: Promise<number | undefined> } | undefined;

  /** `ask` rejects when there is no answer of use. */
  constructor(ask: () => Promise<number | undefined>) {
    this.#ask = ask;
  }

  /** Never rejects. */
  async readMs(): Promise<number> {
    const now = performance.now();
    if (!this.#asked || now - this.#asked.atMs > FRESH_MS) this.#asked = { atMs: now, seconds: this.#ask() };
    return 1000 * ((await this.#asked.seconds.catch(() => undefined)) ?? FALLBACK_SECONDS);
  }
}
