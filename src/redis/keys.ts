/**
 * Owns the names of keys and channels that TypeScript uses; `redis/lib/keys.lua` owns the others.
 *
 * **Invariants**
 * - Every key of a shop begins with its hash tag, so a shop lives in one slot of a cluster.
 */

export interface Keys {
  /** KEYS[1] of every script: names no key, but carries the hash tag. */
  readonly prefix: string;
  /** Channel: `<count> <queue>`, so many orders of that queue can be started. */
  readonly wake: string;
  /** Stream of everything that happened. */
  readonly events: string;
  /** Stream of what other programs demand of a queue of machines. */
  demands(queue: string): string;
  /** List that is rung (pushed to) once the order is final. */
  bell(orderId: string): string;
  /** The order whose bell this key is. */
  orderOfBell(key: string): string;
}

export function keysOf(shop: string): Keys {
  const prefix = `{${shop}}:`;
  const bell = `${prefix}bell:`;
  return {
    prefix,
    wake: `${prefix}wake`,
    events: `${prefix}events`,
    demands: (queue) => `${prefix}demands:${queue}`,
    bell: (orderId) => bell + orderId,
    orderOfBell: (key) => key.slice(bell.length),
  };
}
