/** Owns the operation that cancels an order (`redis/operations/cancel.lua`). */
import type { Operation } from "../../redis/operation.ts";
import type { CancelReason } from "../order.ts";
import { encodeBarista, readChange, type Change, type ChangeOutcome } from "../outcomes.ts";

export interface Cancellation extends Change {
  readonly canceller: "customer" | "barista";
  readonly reason: CancelReason;
}

export const cancel: Operation<Cancellation, ChangeOutcome, "order_id" | "canceller" | "reason" | "barista"> = {
  name: "cancel",
  fields: ["order_id", "canceller", "reason", "barista"],
  encode: ({ orderId, canceller, reason, barista }) => ({
    order_id: orderId,
    canceller,
    reason,
    barista: encodeBarista(barista),
  }),
  decode: (outcome, rest) => readChange("cancelled", outcome, rest),
};
