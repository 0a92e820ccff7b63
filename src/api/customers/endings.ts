/**
 * Owns the JSON that ends an answer which has begun as 200 and can't end with its final order.
 *
 * **Invariants**
 * - It is a cancelled order (`reason: lost`), or says where to go on (`continue_at`).
 * - Its statements about an order were read from Redis, or follow from the order's id.
 */
import { Type } from "@sinclair/typebox";
import { timeOf } from "../order-time.ts";
import { Order, type OrderJson } from "../../orders/order.ts";

/** Where an order is waited for; `seconds` at most. Compose's nginx follows what looks like this, and nothing else. */
export function waitPath(orderId: string, seconds?: number): string {
  return `/order/${orderId}?wait${seconds === undefined ? "" : `=${seconds}`}`;
}

const CONTINUE_AT = {
  continue_at: Type.String({ description: "the server had to end its answer: ask here for the order's end" }),
};

/** An order that is not final yet, as far as it could be read, and where to go on. */
export const Continuation = Type.Composite(
  [Type.Pick(Order, ["order_id"]), Type.Partial(Type.Omit(Order, ["order_id"])), Type.Object(CONTINUE_AT)],
  { $id: "Continuation", description: "the end of an answer that had begun: go on at `continue_at`" },
);

/** `order`: as it is now, where it can be read. */
export function encodeContinuation(orderId: string, continueAt: string, order?: OrderJson): string {
  const known = order ?? JSON.stringify({ order_id: orderId });
  return `${known.slice(0, -1)},"continue_at":${JSON.stringify(continueAt)}}`;
}

/** An order that Redis no longer has. How often it was started is not known. */
export function encodeLostOrder(orderId: string, now = new Date()): OrderJson {
  const order = {
    order_id: orderId,
    status: "cancelled",
    reason: "lost",
    attempts: 0,
    placed_at: (timeOf(orderId) ?? now).toISOString(),
    finished_at: now.toISOString(),
  };
  return JSON.stringify(order);
}
