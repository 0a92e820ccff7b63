/** Owns made-up orders for the tests of the staff pages' state. */
import type { Order, Status } from "../../src/orders/order.ts";

const DAY = "2026-11-20";

/** An order with a number for an id: `makeOrder(17, "brewing", { barista: "Grace" })`. */
export function makeOrder(number: number, status: Status = "queued", more: Partial<Order> = {}): Order {
  return {
    order_id: `order-${number}`,
    ...(status === "reserved" ? undefined : { number, item: "latte" }),
    status,
    attempts: status === "queued" || status === "reserved" ? 0 : 1,
    placed_at: `${DAY}T09:00:00.000Z`,
    ...(status === "brewing" || status === "ready"
      ? { barista: "Grace", started_at: `${DAY}T09:01:00.000Z` }
      : undefined),
    ...(status === "ready" || status === "cancelled" ? { finished_at: `${DAY}T09:02:00.000Z` } : undefined),
    ...more,
  };
}

/** A time of the made-up day, as the shop writes it. */
export function at(time: string): string {
  return `${DAY}T${time}.000Z`;
}
