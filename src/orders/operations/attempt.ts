/** Owns the operation that notes that a card is being tried for an unpaid order (`redis/operations/attempt.lua`). */
import type { Operation } from "../../redis/operation.ts";
import { readPaymentRefusal, type PaymentRefusal } from "../payment.ts";
import type { PaymentJson } from "../payment.ts";

export interface Attempt {
  readonly orderId: string;
  /** The card, as the provider names it. */
  readonly method: string;
  /** After how long another server goes on where this one has died. */
  readonly lookMs: number;
}

/** `joined`: the same method is under way. `intentId`: empty while the provider has none. */
export type AttemptOutcome =
  | {
      readonly kind: "attempted";
      readonly payment: PaymentJson;
      readonly attempt: number;
      readonly intentId: string;
    }
  | { readonly kind: "joined"; readonly payment: PaymentJson }
  | PaymentRefusal;

export const attempt: Operation<Attempt, AttemptOutcome, "order_id" | "method" | "look_ms"> = {
  name: "attempt",
  fields: ["order_id", "method", "look_ms"],
  encode: ({ orderId, method, lookMs }) => ({ order_id: orderId, method, look_ms: lookMs }),
  decode: (outcome, rest) => {
    const [payment = "", number, intentId = ""] = rest;
    if (outcome === "attempted") return { kind: outcome, payment, attempt: Number(number), intentId };
    return outcome === "joined" ? { kind: outcome, payment } : readPaymentRefusal(outcome, rest);
  },
};
