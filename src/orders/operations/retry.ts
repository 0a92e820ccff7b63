/** Owns the operation that makes a dead order again (`redis/operations/retry.lua`). */
import type { Operation } from "../../redis/operation.ts";
import { orderIdIn } from "../../redis/order-id.ts";
import type { OrderJson } from "../order.ts";
import { encodeBarista, readRefusal, type Refusal } from "../outcomes.ts";

export interface Retry {
  /** The dead order. */
  readonly orderId: string;
  /** The new one (UUIDv7), made by the caller. */
  readonly newId: string;
  /** Who wants it made again; undefined: not said. */
  readonly retriedBy?: string | undefined;
  /** The trace that the new one is part of, as `traceparent` spells it; undefined: it is not traced. */
  readonly traceparent?: string | undefined;
}

/** `retried`: with the new order; asked again, with the same one. */
export type RetryOutcome = { readonly kind: "retried"; readonly orderId: string; readonly order: OrderJson } | Refusal;

export const retry: Operation<Retry, RetryOutcome, "order_id" | "new_id" | "retried_by" | "traceparent"> = {
  name: "retry",
  fields: ["order_id", "new_id", "retried_by", "traceparent"],
  optional: 1,
  encode: ({ orderId, newId, retriedBy, traceparent = "" }) => ({
    order_id: orderId,
    new_id: newId,
    retried_by: encodeBarista(retriedBy),
    traceparent,
  }),
  decode: (outcome, rest) => {
    const [order] = rest;
    if (outcome !== "retried" || order === undefined) return readRefusal(outcome, rest);
    return { kind: outcome, orderId: orderIdIn(order), order };
  },
};
