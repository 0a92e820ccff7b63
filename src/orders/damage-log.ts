/**
 * Owns the log of damaged keys and orders of the shop.
 *
 * **Invariants**
 * - A damaged key or order is logged once, when it is found.
 * - A key is logged once more when it was put right.
 * - An order is logged by a short hash of its id, without its id and its record.
 */
import type { Log } from "../log.ts";
import type { Inspection } from "./maintenance.ts";

/** More are counted, not named. */
const MAX_NAMED = 10;
/** More than the shop's list names. */
const MAX_KNOWN = 2000;

export class DamageLog {
  readonly #log: Log;
  #keys = new Set<string>();
  readonly #orders = new Set<string>();

  constructor(log: Log) {
    this.#log = log;
  }

  note({ keys, orders }: Pick<Inspection, "keys" | "orders">): void {
    this.#noteKeys(keys);
    this.#noteOrders(orders);
  }

  #noteKeys(keys: Inspection["keys"]): void {
    for (const { key, type, expectedType } of keys) {
      if (this.#keys.has(key)) continue;
      this.#log.error(
        { key, type, expected_type: expectedType },
        "a key of the shop holds a value of another type: what needs it fails until it is put right (GET /damaged)",
      );
    }
    const now = new Set(keys.map(({ key }) => key));
    for (const key of this.#keys) if (!now.has(key)) this.#log.info({ key }, "a key of the shop was put right");
    this.#keys = now;
  }

  #noteOrders(orders: Inspection["orders"]): void {
    const found = orders.filter(({ orderId }) => !this.#orders.has(orderId));
    if (found.length === 0) return;
    if (this.#orders.size > MAX_KNOWN) this.#orders.clear();
    for (const { orderId } of found) this.#orders.add(orderId);
    const named = found.slice(0, MAX_NAMED).map(({ orderId, reason }) => ({ order: shortHash(orderId), reason }));
    this.#log.error({ damaged: found.length, orders: named }, "orders are damaged and set aside (GET /damaged)");
  }
}

function shortHash(text: string): string {
  return new Bun.CryptoHasher("sha256").update(text).digest("hex").slice(0, 8);
}
