/** Owns the operation that notes that nothing is held for an order any more (`redis/operations/reverse.lua`). */
import type { Operation } from "../../redis/operation.ts";
import { readPaymentChange, type PaymentOutcome } from "../payment.ts";

export interface Reversal {
  readonly orderId: string;
  /** Why there is nothing to take, where the order is ready; undefined: its order was cancelled. */
  readonly error?: string | undefined;
}

export const reverse: Operation<Reversal, PaymentOutcome, "order_id" | "failure"> = {
  name: "reverse",
  fields: ["order_id", "failure"],
  encode: ({ orderId, error }) => ({ order_id: orderId, failure: error === undefined ? "" : JSON.stringify(error) }),
  decode: (outcome, rest) => readPaymentChange("reversed", outcome, rest),
};
