/**
 * Owns when a call is made again: which failures pass by themselves, and the pause before the next try. The client, the
 * pages and the simulators have no other.
 *
 * **Invariants**
 * - A pause is random, so that many clients do not come back as one.
 * - A pause is never shorter than Retry-After.
 * - An aborted signal ends a pause, and no try follows.
 */
import { maxPauseMs, type BackOff } from "../back-off.ts";
import { between, pause } from "../pause.ts";

export type { BackOff };

/** Statuses that pass: too many, a proxy without its server, a server that is busy or stopping. */
const RETRYABLE_STATUSES: ReadonlySet<number> = new Set([429, 502, 503, 504]);

/** A try that failed, where another one may not. */
export interface Failed {
  readonly kind: "again";
  /** How long the server asks to wait; absent: it does not. */
  readonly retryAfterMs?: number | undefined;
  /** Whether the try had got through before it failed: the pauses begin anew. */
  readonly hasWorked?: boolean;
}

/** The outcome of a try. What no other try can mend is thrown, or is a value. */
export type Tried<Value, Failure extends Failed> = { readonly kind: "done"; readonly value: Value } | Failure;

/** The pause that follows a failed try. */
export interface Pausing {
  /** Tries so far, from 1. */
  readonly attempt: number;
  readonly delayMs: number;
}

interface RunOptions<Failure extends Failed> {
  readonly signal?: AbortSignal | undefined;
  /** Called before each pause. If it throws, that ends the run. */
  readonly onRetry?: ((failure: Failure, pausing: Pausing) => void) | undefined;
}

/** Makes calls until one is done. Any number of them may run at once. */
export class Retrier {
  readonly #backOff: BackOff;
  readonly #pauses = new Set<AbortController>();

  constructor(backOff: BackOff) {
    this.#backOff = backOff;
  }

  /** Tries until a try is done. Rejects with what a try or `onRetry` throws, or with the signal's reason. */
  async run<Value, Failure extends Failed>(
    attempt: () => Promise<Tried<Value, Failure>>,
    { signal, onRetry }: RunOptions<Failure> = {},
  ): Promise<Value> {
    for (let tries = 1, failures = 1; ; tries += 1, failures += 1) {
      signal?.throwIfAborted();
      const beganMs = performance.now();
      const tried = await attempt();
      if (tried.kind === "done") return tried.value;
      signal?.throwIfAborted();
      // A try that lasted for long says that the server was well, too.
      if (tried.hasWorked || performance.now() - beganMs > this.#backOff.maxMs) failures = 1;
      // Full jitter: evenly spread from 0.
      const delayMs = (tried.retryAfterMs ?? 0) + between(0, maxPauseMs(failures, this.#backOff));
      onRetry?.(tried, { attempt: tries, delayMs });
      await this.#pause(delayMs, signal);
    }
  }

  /** Ends the pauses that are under way: the device came back, or its user asked. */
  hurry(): void {
    for (const ended of this.#pauses) ended.abort();
  }

  async #pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
    const ended = new AbortController();
    this.#pauses.add(ended);
    await pause(ms, signal, ended.signal);
    this.#pauses.delete(ended);
  }
}

/** Whether an answer with this status may be another one later, and not later than in `maxRetryAfterMs`. */
export function isRetryable(status: number, retryAfterMs: number, maxRetryAfterMs: number): boolean {
  return RETRYABLE_STATUSES.has(status) && retryAfterMs <= maxRetryAfterMs;
}
