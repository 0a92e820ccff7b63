/**
 * Owns the work on orders that no request asks for: the sweeper calls it.
 *
 * **Invariants**
 * - Any number of replicas may do it at once.
 */
import { asInteger, asList, asText } from "../redis/reply.ts";
import { loadScript, type RunScript } from "../redis/script.ts";

/** `nextMs`: when the next time is over; null: none is open. */
export interface Due {
  readonly nextMs: number | null;
  readonly cancelled: number;
}

/** `next`: where to go on; empty at the end. */
export interface Forgotten {
  readonly next: string;
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

/** How many entries of a queue named nothing and were dropped, and how many orders came back into the queue. */
export interface Mending {
  readonly dropped: number;
  readonly restored: number;
}

export interface MaintenanceOptions {
  /** How many leases of one order may run out before it is cancelled. */
  readonly maxAttempts: number;
  readonly retentionMs: number;
  readonly leaseMs: number;
  /** Cancels an order whose time is over: true where it was. */
  readonly expireOrder: (orderId: string) => Promise<boolean>;
  /** Offers an order again that failed. */
  readonly requeueOrder: (orderId: string) => Promise<boolean>;
}

export function createMaintenance(run: RunScript, options: MaintenanceOptions) {
  const { maxAttempts, retentionMs, leaseMs, expireOrder, requeueOrder } = options;
  const dueOrders = loadScript("due-orders");
  const forgetOrders = loadScript("forget-orders");
  return {
    expire: async (): Promise<Due> => {
      const [next, expiring, ...rest] = asList(await run(dueOrders, [maxAttempts]));
      const [nextMs, expired] = [asInteger(next), asInteger(expiring)];
      const ids = rest.map(asText);
      const outcomes = await settleAll([
        ...ids.slice(0, expired).map(expireOrder),
        ...ids.slice(expired).map(requeueOrder),
      ]);
      const cancelled = outcomes.slice(0, expired).filter(Boolean).length;
      return { nextMs: nextMs < 0 ? null : nextMs, cancelled };
    },

    forget: async (from: string): Promise<Forgotten> => ({
      next: asText(await run(forgetOrders, [retentionMs, from])),
    }),

    inspect: createInspect(run, leaseMs),
    mend: createMend(run, leaseMs),
  };
}

/**
 * Waits for all of them, then throws what the first that failed threw: one order's fault keeps no other from its due.
 */
async function settleAll(promises: readonly Promise<boolean>[]): Promise<boolean[]> {
  const outcomes = await Promise.allSettled(promises);
  const failed = outcomes.find((outcome) => outcome.status === "rejected");
  if (failed) throw failed.reason;
  return outcomes.map((outcome) => outcome.status === "fulfilled" && outcome.value);
}

/**
 * Finds damaged keys and orders: at most `maxOrders` are looked at. Orders that were put right go back into their
 * queues.
 */
function createInspect(run: RunScript, leaseMs: number) {
  const script = loadScript("inspect-shop");
  return async (maxOrders: number): Promise<Inspection> => {
    const [keys, orders, queues] = asList(await run(script, [leaseMs, maxOrders]));
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
    for (const part of ["stream", "waiting", "delayed", "scheduled", "unpaid", "leases"]) {
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
