/**
 * Owns when a payment is over for those who listen to it.
 *
 * **Invariants**
 * - It is over once its money was taken, given back, or will not come; also where its order is over long before.
 * - Where staff have asked for the money back, it goes on until that is given.
 */
import type { Payment, PaymentJson } from "../orders/payment.ts";

interface PaymentEnd {
  /** Its last event is the first of one of these types. */
  readonly until: readonly string[];
  /** When that came, ms since 1970; undefined: it is still to come. */
  readonly finishedMs?: number;
}

const ENDING_TYPES = ["payment.captured", "payment.taken", "payment.failed", "payment.refunded"];

export function endOf(json: PaymentJson): PaymentEnd {
  const payment = JSON.parse(json) as Payment;
  switch (payment.status) {
    case "PAYMENT_PENDING":
    case "PAYMENT_CREATED":
      return { until: ENDING_TYPES };
    case "PAYMENT_FAILED":
      return ended("payment.failed", payment.failed_at);
    case "PAYMENT_REFUNDED":
      return ended("payment.refunded", payment.refunded_at);
    case "PAYMENT_SUCCESSFUL":
      if (payment.refund_reason !== undefined) return { until: ["payment.refunded"] };
      // The provider refused a refund after it had taken the money, and the time of that is not noted.
      if (payment.error !== undefined) return { until: [], finishedMs: Number.MAX_SAFE_INTEGER };
      return ended(payment.kind === "card" ? "payment.captured" : "payment.taken", payment.captured_at);
  }
}

function ended(type: string, time = ""): PaymentEnd {
  return { until: [type], finishedMs: Date.parse(time) };
}
