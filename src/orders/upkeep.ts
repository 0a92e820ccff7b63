/**
 * Owns what is done for orders that no request asks for: the sweeper calls it, and staff look at what it found.
 *
 * **Invariants**
 * - Any number of replicas may do it at once.
 * - A run is bounded: it looks at a page of orders.
 */
import { asInteger, asList, asText } from "../redis/reply.ts";
import { loadScript, type RunScript } from "../redis/script.ts";

export interface UpkeepOptions {
  /** How many leases of one order may run out before it is cancelled. */
  readonly maxAttempts: number;
  readonly retentionMs: number;
  readonly leaseMs: number;
}

/** An order whose record can't be read, and why. */
interface DamagedOrder {
  readonly orderId: string;
  readonly reason: string;
  readonly noticedMs: number;
}

/** A key that holds a value of another type than it should. */
interface DamagedKey {
  readonly key: string;
  readonly type: string;
  readonly expectedType: string;
}

export interface Inspection {
  readonly keys: readonly DamagedKey[];
  readonly orders: readonly DamagedOrder[];
  /** Queues whose stream and indexes disagree. */
  readonly unevenQueues: readonly string[];
}

/** How many entries of a queue named nothing and were dropped, and how many orders came back to their place. */
interface Mending {
  readonly dropped: number;
  readonly restored: number;
}

export function createUpkeep(run: RunScript, { maxAttempts, retentionMs, leaseMs }: UpkeepOptions) {
  return {
    expire: createExpire(run, maxAttempts, retentionMs),
    forget: createForget(run, retentionMs),
    inspect: createInspect(run, leaseMs),
    mend: createMend(run, leaseMs),
  };
}

/** Looks after leases and reservations that ran out. `nextMs`: when the next one does; null: none is open. */
function createExpire(run: RunScript, maxAttempts: number, retentionMs: number) {
  const expireLeases = loadScript("expire-leases");
  const expireReservations = loadScript("expire-reservations");
  return async (): Promise<{ nextMs: number | null; cancelled: number }> => {
    const runs = [run(expireLeases, [maxAttempts, retentionMs]), run(expireReservations, [retentionMs])];
    // One that fails does not keep the other from being waited for.
    await Promise.allSettled(runs);
    const replies = await Promise.all(runs);
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

/** What is damaged: at most `most` orders are looked at. Orders that were put right go back to their place. */
function createInspect(run: RunScript, leaseMs: number) {
  const script = loadScript("inspect-shop");
  return async (most: number): Promise<Inspection> => {
    const [keys, orders, queues] = asList(await run(script, [leaseMs, most]));
    return {
      keys: asList(keys).map(readDamagedKey),
      orders: asList(orders).map(readDamagedOrder),
      unevenQueues: asList(queues).map(asText),
    };
  };
}

function readDamagedKey(reply: unknown): DamagedKey {
  const [key, type, expectedType] = asList(reply);
  return { key: asText(key), type: asText(type), expectedType: asText(expectedType) };
}

function readDamagedOrder(reply: unknown): DamagedOrder {
  const [orderId, reason, noticedMs] = asList(reply);
  return { orderId: asText(orderId), reason: asText(reason), noticedMs: asInteger(noticedMs) };
}

/** Has a queue's stream and its indexes agree again, a page at a time. */
function createMend(run: RunScript, leaseMs: number) {
  const script = loadScript("mend-queue");
  return async (queue: string): Promise<Mending> => {
    let [dropped, restored] = [0, 0];
    for (const part of ["stream", "waiting", "leases"]) {
      let cursor = "";
      do {
        const [next, droppedHere, restoredHere] = asList(await run(script, [queue, leaseMs, part, cursor]));
        cursor = asText(next);
        dropped += asInteger(droppedHere);
        restored += asInteger(restoredHere);
      } while (cursor !== "");
    }
    return { dropped, restored };
  };
}
