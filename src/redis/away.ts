/** Owns what a Redis that is away means to a call. Always holds: who gets this error knows whether the call may still have run. */

/** Redis did not answer within the bound. */
export class RedisAwayError extends Error {
  override readonly name = "RedisAwayError";
  /** The call was sent: it may have run, or run later. Otherwise it never will. */
  readonly mayHaveRun: boolean;

  constructor(mayHaveRun: boolean, cause?: unknown) {
    super("Redis does not answer", { cause });
    this.mayHaveRun = mayHaveRun;
  }
}

/** What a server says that is loading, failing over or short of memory: nothing has run. */
const UNABLE = /^(LOADING|READONLY|MASTERDOWN|OOM|CLUSTERDOWN|TRYAGAIN)/;

/** Whether an error means that Redis can't serve now, as against having refused. */
export function isRedisAway(error: unknown): boolean {
  return error instanceof RedisAwayError || (error instanceof Error && UNABLE.test(error.message));
}
