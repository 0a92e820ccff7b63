/** Owns the operation by which staff give money back (`redis/operations/refund.lua`). */
import type { Operation } from "../../redis/operation.ts";
import { encodeBarista, type Change } from "../outcomes.ts";
import { readPaymentChange, type PaymentOutcome } from "../payment.ts";

export interface Refund extends Change {
  readonly reason: string;
}

/** `changed`: cash is given back; of a card the provider is asked next. */
export const refund: Operation<Refund, PaymentOutcome, "order_id" | "reason" | "barista"> = {
  name: "refund",
  fields: ["order_id", "reason", "barista"],
  encode: ({ orderId, reason, barista }) => ({
    order_id: orderId,
    reason: JSON.stringify(reason),
    barista: encodeBarista(barista),
  }),
  decode: (outcome, rest) => readPaymentChange("refunding", outcome, rest),
};
