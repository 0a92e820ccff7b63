/** Owns the operation that notes what came of a refund at the provider (`redis/operations/repay.lua`). */
import type { Operation } from "../../redis/operation.ts";
import { readPaymentChange, type PaymentOutcome } from "../payment.ts";

export interface Repayment {
  readonly orderId: string;
  /** Why the provider refused, in its words; undefined: it has given the money back. */
  readonly error?: string | undefined;
}

export const repay: Operation<Repayment, PaymentOutcome, "order_id" | "failure"> = {
  name: "repay",
  fields: ["order_id", "failure"],
  encode: ({ orderId, error }) => ({ order_id: orderId, failure: error === undefined ? "" : JSON.stringify(error) }),
  decode: (outcome, rest) => readPaymentChange("repaid", outcome, rest),
};
