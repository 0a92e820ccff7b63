/** Owns the operation that notes that an order's amount is held (`redis/operations/authorise.lua`). */
import type { Operation } from "../../redis/operation.ts";
import { readPaymentChange, type PaymentOutcome } from "../payment.ts";

export interface Authorisation {
  readonly orderId: string;
  /** The provider's. */
  readonly intentId: string;
  /** What the provider holds, in cents. */
  readonly amount: number;
  /** When it lapses, ms since 1970; null: the provider does not say. */
  readonly captureBeforeMs: number | null;
  /** After how long it is looked at again. */
  readonly lookMs: number;
}

type Field = "order_id" | "intent" | "amount" | "capture_before" | "look_ms";

export const authorise: Operation<Authorisation, PaymentOutcome, Field> = {
  name: "authorise",
  fields: ["order_id", "intent", "amount", "capture_before", "look_ms"],
  encode: ({ orderId, intentId, amount, captureBeforeMs, lookMs }) => ({
    order_id: orderId,
    intent: intentId,
    amount,
    capture_before: captureBeforeMs ?? "",
    look_ms: lookMs,
  }),
  decode: (outcome, rest) => readPaymentChange("authorised", outcome, rest),
};
