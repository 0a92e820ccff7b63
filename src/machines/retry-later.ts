/**
 * Owns the error by which a machine puts an order back for later.
 *
 * **Invariants**
 * - It is known by its name: a package that is there twice has two classes.
 */
import { maxPauseMs } from "../back-off.ts";
import { MAX_RETRY_AFTER_SECONDS } from "../orders/status.ts";

/** Between attempts at an order, where it is not said how long. */
const BACK_OFF = { firstMs: 1000, maxMs: 300_000 };
const MESSAGE = "the machine tries it again later";

/**
 * Thrown by a machine: the order goes back into its queue, and may be started again after `seconds` (0 to 86,400).
 * Without `seconds` the pauses grow with its attempts. When these are used up, the order is cancelled with `message`.
 */
export class RetryLater extends Error {
  override readonly name = "RetryLater";
  readonly seconds: number | undefined;

  /** Throws a RangeError for seconds out of range. */
  constructor(seconds?: number, message = MESSAGE) {
    super(message);
    if (!isInRange(seconds)) {
      throw new RangeError(`RetryLater: seconds must be a number from 0 to ${MAX_RETRY_AFTER_SECONDS}, not ${seconds}`);
    }
    this.seconds = seconds;
  }
}

export function isRetryLater(error: unknown): error is RetryLater {
  if (error instanceof RetryLater) return true;
  return error instanceof Error && error.name === "RetryLater" && "seconds" in error && isInRange(error.seconds);
}

function isInRange(seconds: unknown): boolean {
  return seconds === undefined || (typeof seconds === "number" && seconds >= 0 && seconds <= MAX_RETRY_AFTER_SECONDS);
}

/** How long an order waits that was put back with these seconds, at so many attempts. */
export function retryAfterMs(seconds: number | undefined, attempts: number): number {
  return seconds === undefined ? maxPauseMs(Math.max(1, attempts), BACK_OFF) : seconds * 1000;
}
