/**
 * Owns how what became of a payment is answered, on both ports.
 *
 * **Invariants**
 * - An answer says what to do where the outcome is a refusal.
 */
import { answerJson } from "../http/json.ts";
import type { PaymentOutcome, PaymentRefusal } from "../orders/payment.ts";
import type { FindPaymentOutcome } from "../orders/payments.ts";
import { problem } from "../problem.ts";

type Why = Extract<PaymentRefusal, { readonly kind: "refused" }>["why"];

const WHY_PAYMENT_REFUSED: Readonly<Record<Why, string>> = {
  counter: "The order is paid at the counter: say its number there.",
  card: "The order is paid by card: there is nothing to take at the counter.",
  paid: "The order is paid already.",
  over: "The order, or the time to pay it, is over.",
  under_way: "Another card is being tried for this order: wait for what comes of it.",
  tries: "Too many cards were refused for this order: order again, or ask the shop.",
  amount: "The amount is not the order's price.",
  unpaid: "Nothing was taken that could be given back.",
  open: "The order is not over: cancel it first.",
};

export function answerPayment(outcome: FindPaymentOutcome): Response {
  return outcome.kind === "found" ? answerJson(outcome.payment) : answerPaymentRefusal(outcome);
}

export function answerPaymentChange(outcome: PaymentOutcome): Response {
  return outcome.kind === "changed" ? answerJson(outcome.payment) : answerPaymentRefusal(outcome);
}

export function answerPaymentRefusal(refusal: PaymentRefusal): Response {
  switch (refusal.kind) {
    case "unknown":
      return problem("payment_unknown");
    case "damaged":
      return problem("order_damaged");
    case "refused":
      return problem("payment_conflict", { detail: WHY_PAYMENT_REFUSED[refusal.why] });
  }
}
