/**
 * Owns what an unavailable Redis means to a call.
 *
 * **Invariants**
 * - A RedisUnavailableError says whether the call may still have run.
 */
import { faultOf } from "./errors.ts";
import { SupersededError } from "./superseded.ts";

/** Redis did not serve the call within the bound, or its user may not do it. */
export class RedisUnavailableError extends Error {
  override readonly name = "RedisAwayError";
  /** The call was sent: it may have run, or run later. Otherwise it never will. */
  readonly mayHaveRun: boolean;

  constructor(mayHaveRun: boolean, cause?: unknown) {
    super("Redis does not answer", { cause });
    this.mayHaveRun = mayHaveRun;
  }
}

/** Whether an error means that Redis can't serve now, as against having refused. */
export function isRedisUnavailable(error: unknown): boolean {
  if (error instanceof RedisUnavailableError || error instanceof SupersededError) return true;
  const { kind } = faultOf(error);
  return kind !== "other" && kind !== "unknown_script";
}
