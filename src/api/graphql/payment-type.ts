/**
 * Owns the payment of an order as GraphQL shows it.
 *
 * **Invariants**
 * - It is the payment of the wire, in GraphQL's spelling.
 */
import { PAYMENT_KINDS, PAYMENT_STATUSES, type Payment } from "../../orders/payment.ts";
import type { Builder } from "./builder.ts";

export type PaymentTypes = ReturnType<typeof definePayment>;

export function definePayment(builder: Builder) {
  const PaymentStatus = builder.enumType("PaymentStatus", {
    values: PAYMENT_STATUSES,
    description: "PAYMENT_CREATED: the amount is held. PAYMENT_SUCCESSFUL: it is taken.",
  });
  const PaymentKind = builder.enumType("PaymentKind", {
    values: PAYMENT_KINDS,
    description: "How an order is paid; counter: staff take the money.",
  });
  const PaymentObject = builder.objectRef<Payment>("Payment").implement({
    description: "What is, was or is to be paid for an order.",
    fields: (t) => ({
      id: t.exposeID("payment_id", { description: "The id of its order." }),
      orderId: t.exposeID("order_id"),
      status: t.expose("status", { type: PaymentStatus }),
      kind: t.expose("kind", { type: PaymentKind }),
      amount: t.exposeInt("amount", { description: "Cents: the price of its order." }),
      currency: t.exposeString("currency", { description: "Three letters of ISO 4217, small." }),
      createdAt: t.expose("created_at", { type: "DateTime" }),
      expiresAt: t.expose("expires_at", {
        type: "DateTime",
        nullable: true,
        description: "Until when it can be paid, while it is not.",
      }),
      isUnderWay: t.boolean({
        description: "Whether a card is being tried.",
        resolve: ({ is_under_way: isUnderWay = false }) => isUnderWay,
      }),
      error: t.exposeString("error", {
        nullable: true,
        description: "Why the last card was refused, or what else went wrong.",
      }),
      authorisedAt: t.expose("authorised_at", { type: "DateTime", nullable: true }),
      captureBefore: t.expose("capture_before", {
        type: "DateTime",
        nullable: true,
        description: "Until when the amount is held.",
      }),
      capturedAt: t.expose("captured_at", { type: "DateTime", nullable: true }),
      takenBy: t.exposeString("taken_by", { nullable: true, description: "Who took the money at the counter." }),
      failedAt: t.expose("failed_at", { type: "DateTime", nullable: true }),
      refundReason: t.exposeString("refund_reason", { nullable: true, description: "Why staff give the money back." }),
      refundRequestedAt: t.expose("refund_requested_at", { type: "DateTime", nullable: true }),
      refundedBy: t.exposeString("refunded_by", { nullable: true }),
      refundedAt: t.expose("refunded_at", {
        type: "DateTime",
        nullable: true,
        description: "When it was given back, or no longer held.",
      }),
      refundedAmount: t.exposeInt("refunded_amount", { nullable: true, description: "Cents." }),
    }),
  });
  return { PaymentObject, PaymentStatus, PaymentKind };
}
