/** Owns the operation that notes where a customer waits for an order (`redis/operations/watch.lua`). */
import type { Operation } from "../../redis/operation.ts";
import type { OrderJson } from "../order.ts";
import { unexpected } from "../outcomes.ts";

export interface Watch {
  readonly orderId: string;
  /** The replica that holds the customer. */
  readonly holder: string;
}

/** `watching`: its end will be notified to the holder, or its bell rings. */
export type WatchOutcome =
  | { readonly kind: "final"; readonly order: OrderJson }
  | { readonly kind: "watching" | "unknown" | "damaged" };

export const watch: Operation<Watch, WatchOutcome, "order_id" | "holder"> = {
  name: "watch",
  fields: ["order_id", "holder"],
  encode: ({ orderId, holder }) => ({ order_id: orderId, holder }),
  decode: (outcome, [order]) => {
    if (outcome === "final" && order !== undefined) return { kind: outcome, order };
    if (outcome === "watching" || outcome === "unknown" || outcome === "damaged") return { kind: outcome };
    throw unexpected(outcome);
  },
};
