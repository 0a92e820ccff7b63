/**
 * Owns how a worker comes to its end: first nothing more is taken, then what is in hand is given back.
 *
 * **Invariants**
 * - No timer or listener outlives `close`.
 */
export class Stopping {
  readonly #taking = new AbortController();
  readonly #making = new AbortController();
  readonly #from: AbortSignal | undefined;
  readonly #drainMs: number;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Stops once `from` is aborted. What is in hand may be made for `drainMs` more. */
  constructor(from: AbortSignal | undefined, drainMs: number) {
    this.#from = from;
    this.#drainMs = drainMs;
    from?.addEventListener("abort", this.stop);
    if (from?.aborted) this.stop();
  }

  /** Aborted: nothing more is taken. */
  get signal(): AbortSignal {
    return this.#taking.signal;
  }

  /** Aborted: what is being made is given back. */
  get giveBack(): AbortSignal {
    return this.#making.signal;
  }

  readonly stop = (): void => {
    if (this.#taking.signal.aborted) return;
    const reason: unknown = this.#from?.reason;
    this.#taking.abort(reason);
    if (this.#drainMs > 0) this.#timer = setTimeout(() => this.#making.abort(reason), this.#drainMs);
    else this.#making.abort(reason);
  };

  close(): void {
    clearTimeout(this.#timer);
    this.#from?.removeEventListener("abort", this.stop);
  }
}
