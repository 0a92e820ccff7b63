/**
 * Owns the time of one try: it ends what takes longer, and what its caller gives up.
 *
 * **Invariants**
 * - No timer or listener outlives it, and nothing of an answer that was left unread.
 * - A caller who gave up gets an exception, never an outcome.
 */

export type Waited<Value> =
  | { readonly kind: "value"; readonly value: Value }
  | { readonly kind: "failed"; readonly why: string; readonly code?: string };

/** Codes of errors are words; whatever else a message holds is not shown. */
const CODE = /^[A-Za-z_]{1,60}$/;

export class Try {
  readonly #timeoutMs: number;
  readonly #givingUp: readonly AbortSignal[];
  readonly #ending = new AbortController();
  readonly #end = (): void => this.#ending.abort();
  readonly #timer: ReturnType<typeof setTimeout>;

  constructor(timeoutMs: number, givingUp: readonly AbortSignal[]) {
    this.#timeoutMs = timeoutMs;
    this.#givingUp = givingUp;
    this.#timer = setTimeout(this.#end, timeoutMs);
    for (const signal of givingUp) signal.addEventListener("abort", this.#end);
  }

  /** Aborted when it is over. */
  get signal(): AbortSignal {
    return this.#ending.signal;
  }

  throwIfGivenUp(): void {
    for (const signal of this.#givingUp) signal.throwIfAborted();
  }

  /** What became of a part of it, within its time. */
  async during<Value>(promise: Promise<Value>): Promise<Waited<Value>> {
    const over = Promise.withResolvers<never>();
    const end = (): void => over.reject(new Error("over"));
    this.signal.addEventListener("abort", end);
    if (this.signal.aborted) end();
    try {
      return { kind: "value", value: await Promise.race([promise, over.promise]) };
    } catch (error) {
      this.throwIfGivenUp();
      if (this.signal.aborted) return { kind: "failed", why: `it took longer than ${this.#timeoutMs / 1000} s` };
      const code = error instanceof Error && "code" in error ? String(error.code) : "";
      return CODE.test(code) ? { kind: "failed", why: code, code } : { kind: "failed", why: "no connection" };
    } finally {
      this.signal.removeEventListener("abort", end);
    }
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    for (const signal of this.#givingUp) signal.removeEventListener("abort", this.#end);
    this.#ending.abort();
  }
}
