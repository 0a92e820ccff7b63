/** Owns the operation that notes that a card was refused (`redis/operations/decline.lua`). */
import type { Operation } from "../../redis/operation.ts";
import { readPaymentChange, type PaymentOutcome } from "../payment.ts";

export interface Decline {
  readonly orderId: string;
  /** Which try it was. */
  readonly attempt: number;
  /** The provider's; empty where it has none. */
  readonly intentId: string;
  /** Why, in the provider's words. */
  readonly error: string;
}

export const decline: Operation<Decline, PaymentOutcome, "order_id" | "attempt" | "intent" | "failure"> = {
  name: "decline",
  fields: ["order_id", "attempt", "intent", "failure"],
  encode: ({ orderId, attempt, intentId, error }) => ({
    order_id: orderId,
    attempt,
    intent: intentId,
    failure: JSON.stringify(error),
  }),
  decode: (outcome, rest) => readPaymentChange("declined", outcome, rest),
};
