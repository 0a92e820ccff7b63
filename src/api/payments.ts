/**
 * Owns how an order is paid by card, over HTTP and GraphQL, and how what became of a payment is answered on both ports.
 *
 * **Invariants**
 * - An answer says what to do where the outcome is a refusal.
 */
import { Type } from "@sinclair/typebox";
import { AT_MOST_200_CHARACTERS } from "../formats.ts";
import { answerJson } from "../http/json.ts";
import type { Payment, PaymentOutcome, PaymentRefusal } from "../orders/payment.ts";
import type { FindPaymentOutcome, Payments } from "../orders/payments.ts";
import type { Paying, PayOutcome } from "../payments/paying.ts";
import { InvalidInputError, problem } from "../problem.ts";
import { readOrderId, type PathContext } from "./parameters.ts";

/** A card, as the provider names it. */
export const PaymentMethod = Type.String({
  pattern: "^[\\x21-\\x7e]{1,255}$",
  description: "the card as the provider names it, such as pm_card_visa: 1 to 255 characters without spaces",
});

/** Why staff give the money back. */
export const RefundReason = Type.String({
  minLength: 1,
  format: AT_MOST_200_CHARACTERS,
  description: "1 to 200 characters",
});

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

/** Has an order paid. Rejects with a ProblemError where no card is named and one is wanted. */
export type Pay = (orderId: string, method: string | undefined) => Promise<PayOutcome>;

export function createPay(payments: Pick<Payments, "find">, paying: Pick<Paying, "pay">): Pay {
  return async (orderId, method) => {
    if (method !== undefined) return await paying.pay(orderId, method);
    // Money is taken at the counter: there it is no fault that none is named.
    const found = await payments.find(orderId);
    if (found.kind !== "found") return found;
    if ((JSON.parse(found.payment) as Payment).kind === "counter") return { kind: "refused", why: "counter" };
    throw new InvalidInputError([{ field: "method", detail: `is missing: it must be ${PaymentMethod.description}` }]);
  };
}

export function answerPaid(outcome: PayOutcome): Response {
  switch (outcome.kind) {
    case "paid":
      return answerJson(outcome.payment);
    case "under_way":
      return answerJson(outcome.payment, { status: 202 });
    case "declined": {
      const { error } = JSON.parse(outcome.payment) as Payment;
      return problem("payment_declined", error === undefined ? {} : { detail: error });
    }
    case "no_provider":
      return problem("no_cards");
    case "unknown":
    case "damaged":
    case "refused":
      return answerPaymentRefusal(outcome);
  }
}

/** Makes the route that looks at a payment. */
export function createFindPayment(payments: Pick<Payments, "find">) {
  return async ({ params }: PathContext): Promise<Response> => answerPayment(await payments.find(readOrderId(params)));
}

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
