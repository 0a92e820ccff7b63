/**
 * Owns what staff read of a payment: its state in words.
 *
 * **Invariants**
 * - A state is never said by a colour alone.
 */
import type { Payment, PaymentStatus } from "../../../orders/payment.ts";

/** Staff read of an authorisation that lapses so soon. */
const LAPSING_MS = 24 * 3_600_000;

export const PAYMENT_FILTERS = [
  { status: "PAYMENT_PENDING", label: "To be paid" },
  { status: "PAYMENT_CREATED", label: "Held" },
  { status: "PAYMENT_SUCCESSFUL", label: "Taken" },
  { status: "PAYMENT_FAILED", label: "Not paid" },
  { status: "PAYMENT_REFUNDED", label: "Given back" },
] as const satisfies readonly { readonly status: PaymentStatus; readonly label: string }[];

export interface PaymentState {
  readonly tone: "good" | "warn" | "bad" | "";
  readonly text: string;
}

export function stateOf(payment: Payment): PaymentState {
  switch (payment.status) {
    case "PAYMENT_PENDING":
      if (payment.expires_at === undefined) return { tone: "", text: "being called off" };
      return { tone: "", text: payment.is_under_way ? "the bank is asked" : "to be paid" };
    case "PAYMENT_CREATED":
      return { tone: "", text: "held on the card" };
    case "PAYMENT_SUCCESSFUL":
      if (payment.refund_reason !== undefined) return { tone: "warn", text: "being given back" };
      return { tone: "good", text: "taken" };
    case "PAYMENT_FAILED":
      return payment.error === undefined ? { tone: "", text: "not paid" } : { tone: "bad", text: "refused" };
    case "PAYMENT_REFUNDED":
      return { tone: "", text: payment.captured_at === undefined ? "no longer held" : "given back" };
  }
}

/** Whether what is held for it soon is no longer. */
export function lapsesSoon({ status, capture_before }: Payment, nowMs: number): boolean {
  return status === "PAYMENT_CREATED" && Date.parse(capture_before ?? "") - nowMs < LAPSING_MS;
}

/** Whether staff may give it back, once its order is over. */
export function mayBeGivenBack({ status, refund_reason }: Payment): boolean {
  return status === "PAYMENT_SUCCESSFUL" && refund_reason === undefined;
}

/** Who did what, and why. */
export function sayDetails({ kind, taken_by, refunded_by, refund_reason, error }: Payment): string {
  return [
    kind === "card" ? "card" : "cash",
    taken_by && `taken by ${taken_by}`,
    refunded_by && `given back by ${refunded_by}`,
    refund_reason,
    error,
  ]
    .filter(Boolean)
    .join(" · ");
}
