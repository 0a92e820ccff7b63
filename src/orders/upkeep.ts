/** Owns what is done for orders that nobody asks for: the sweeper calls it. Always holds: any number of replicas may do it at once. */
import { asInteger, asList } from "../redis/reply.ts";
import { loadScript, type RunScript } from "../redis/script.ts";

export interface UpkeepOptions {
  /** How many leases of one order may run out before it is cancelled. */
  readonly maxAttempts: number;
  readonly retentionMs: number;
}

export function createUpkeep(run: RunScript, { maxAttempts, retentionMs }: UpkeepOptions) {
  return {
    expire: createExpire(run, maxAttempts, retentionMs),
    forget: createForget(run, retentionMs),
  };
}

/** Looks after leases and reservations that ran out. `nextMs`: when the next one does; null: none is open. */
function createExpire(run: RunScript, maxAttempts: number, retentionMs: number) {
  const expireLeases = loadScript("expire-leases");
  const expireReservations = loadScript("expire-reservations");
  return async (): Promise<{ nextMs: number | null; cancelled: number }> => {
    const replies = await Promise.all([
      run(expireLeases, [maxAttempts, retentionMs]),
      run(expireReservations, [retentionMs]),
    ]);
    const [leases, reservations] = replies.map((reply) => asList(reply).map(asInteger));
    const nexts = [leases?.[0] ?? -1, reservations?.[0] ?? -1].filter((ms) => ms >= 0);
    return {
      nextMs: nexts.length > 0 ? Math.min(...nexts) : null,
      cancelled: (leases?.[1] ?? 0) + (reservations?.[1] ?? 0),
    };
  };
}

/** Drops a batch of what retention removed from the indexes. `skip` entries were found still kept by earlier calls. */
function createForget(run: RunScript, retentionMs: number) {
  const script = loadScript("forget-orders");
  return async (skip: number): Promise<{ kept: number; isMore: boolean }> => {
    const [kept, more] = asList(await run(script, [retentionMs, skip]));
    return { kept: asInteger(kept), isMore: asInteger(more) === 1 };
  };
}
