/**
 * Owns what a payment of an order is: its states, its JSON on the wire, and the outcomes of its operations.
 * `redis/lib/payments.lua` draws its states.
 *
 * **Invariants**
 * - A payment has its order's id, and its amount is the order's price.
 * - Only scripts write one.
 */
import { Type, type Static } from "@sinclair/typebox";
import { DATE_TIME } from "../formats.ts";
import { oneOf } from "./order.ts";
import { unexpected } from "./outcomes.ts";

export const PAYMENT_STATUSES = [
  "PAYMENT_PENDING",
  "PAYMENT_CREATED",
  "PAYMENT_SUCCESSFUL",
  "PAYMENT_FAILED",
  "PAYMENT_REFUNDED",
] as const;
export const PaymentStatus = oneOf(PAYMENT_STATUSES, { $id: "PaymentStatus" });
export type PaymentStatus = Static<typeof PaymentStatus>;

/** How orders are paid: `counter`: staff take the money. */
export const PAYMENT_KINDS = ["counter", "card"] as const;

const Time = (description: string) => Type.Optional(Type.String({ format: DATE_TIME, description }));

export const PAYMENT_EXAMPLE = {
  payment_id: "01938a5e-7c1b-7f3e-9a52-6f1d2c3b4a59",
  order_id: "01938a5e-7c1b-7f3e-9a52-6f1d2c3b4a59",
  status: "PAYMENT_CREATED",
  kind: "card",
  amount: 400,
  currency: "eur",
  created_at: "2026-11-20T09:30:00.120Z",
  authorised_at: "2026-11-20T09:30:21.044Z",
  capture_before: "2026-11-27T09:30:21.000Z",
};

/** A payment on the wire. */
export const Payment = Type.Object(
  {
    payment_id: Type.String({ format: "uuid", description: "the id of its order" }),
    order_id: Type.String({ format: "uuid" }),
    status: oneOf(PAYMENT_STATUSES),
    kind: oneOf(PAYMENT_KINDS),
    amount: Type.Integer({ minimum: 0, description: "cents: the price of its order" }),
    currency: Type.String({ description: "three letters of ISO 4217, small" }),
    created_at: Type.String({ format: DATE_TIME }),
    expires_at: Time("until when it can be paid, while it is not"),
    is_under_way: Type.Optional(Type.Boolean({ description: "true while a card is being tried" })),
    error: Type.Optional(Type.String({ description: "why the last card was refused, or what else went wrong" })),
    authorised_at: Time("when the amount was held"),
    capture_before: Time("until when the amount is held"),
    captured_at: Time("when the money was taken"),
    taken_by: Type.Optional(Type.String({ description: "who took the money at the counter" })),
    failed_at: Time("when it failed for good"),
    refund_reason: Type.Optional(Type.String({ description: "why staff give the money back" })),
    refund_requested_at: Time("when staff asked the provider to give it back"),
    refunded_by: Type.Optional(Type.String({ description: "who gave it back" })),
    refunded_at: Time("when it was given back, or no longer held"),
    refunded_amount: Type.Optional(Type.Integer({ minimum: 0, description: "cents" })),
  },
  { $id: "Payment", examples: [PAYMENT_EXAMPLE] },
);
export type Payment = Static<typeof Payment>;

/** A payment as JSON, as it goes over the wire: it is passed on as it is. */
export type PaymentJson = string;

const WHY_REFUSED = ["counter", "card", "paid", "over", "under_way", "tries", "amount", "unpaid", "open"] as const;

/**
 * `unknown`: there is no such order, or it is not paid for. `refused`: its state does not allow the change. `damaged`:
 * its record, or its order's, can't be read.
 */
export type PaymentRefusal =
  | { readonly kind: "unknown" }
  | { readonly kind: "damaged" }
  | { readonly kind: "refused"; readonly why: (typeof WHY_REFUSED)[number] };

export type PaymentOutcome = { readonly kind: "changed"; readonly payment: PaymentJson } | PaymentRefusal;

/** `done`: what the operation answers when it has changed the payment. */
export function readPaymentChange(done: string, outcome: string, rest: readonly string[]): PaymentOutcome {
  const [payment] = rest;
  if (outcome === done && payment !== undefined) return { kind: "changed", payment };
  return readPaymentRefusal(outcome, rest);
}

export function readPaymentRefusal(outcome: string, [why]: readonly string[]): PaymentRefusal {
  if (outcome === "unknown" || outcome === "damaged") return { kind: outcome };
  const known = outcome === "refused" && WHY_REFUSED.find((each) => each === why);
  if (!known) throw unexpected(outcome);
  return { kind: "refused", why: known };
}
