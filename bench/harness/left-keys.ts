/** Owns the count of what orders that are over leave in Redis. */
import type { BenchRedis } from "./redis.ts";

/**
 * Keys by what they are. Of an order's own record it is known whose it is; a key that names an order otherwise is left
 * over.
 */
export interface LeftKeys {
  /** Keys that name one of the orders, and are not its record. */
  readonly ofOrders: number;
  /** Keys that name none: indexes, the shop's own. */
  readonly others: number;
}

const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

/** Sorts `keys`. The record of an order is kept under `recordPrefix` and its id. */
export function sortKeys(
  keys: Iterable<string>,
  { ids, recordPrefix }: { ids: ReadonlySet<string>; recordPrefix: string },
): LeftKeys {
  let ofOrders = 0;
  let others = 0;
  for (const key of keys) {
    const id = key.match(UUID)?.find((found) => ids.has(found));
    if (id === undefined) others += 1;
    else if (key !== recordPrefix + id) ofOrders += 1;
  }
  return { ofOrders, others };
}

/** Counts them in Redis. `ids` are those of all orders that were placed. */
export async function countLeftKeys(
  redis: BenchRedis,
  { ids, recordPrefix }: { ids: readonly string[]; recordPrefix: string },
): Promise<LeftKeys> {
  const keys = new Set<string>();
  await redis.scanKeys((some) => {
    for (const key of some) keys.add(key);
  });
  return sortKeys(keys, { ids: new Set(ids), recordPrefix });
}
