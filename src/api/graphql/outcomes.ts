/**
 * Owns how outcomes become what resolvers return: an order or a payment, or the problem that it would be over HTTP.
 *
 * **Invariants**
 * - What is neither is a RefusedError.
 */
import type { Order } from "../../orders/order.ts";
import type { ChangeOutcome } from "../../orders/outcomes.ts";
import type { Payment } from "../../orders/payment.ts";
import type { FindOutcome } from "../../orders/queries.ts";
import { answerChanged, answerFound } from "../answers.ts";
import { RefusedError } from "./errors.ts";

export function parseOrder(json: string): Order {
  return JSON.parse(json) as Order;
}

export function parsePayment(json: string): Payment {
  return JSON.parse(json) as Payment;
}

export function orderOf(found: FindOutcome): Order {
  if (found.kind === "found") return parseOrder(found.order);
  throw new RefusedError(answerFound(found));
}

/** `verb` completes "can't be …". */
export function changedOrderOf(outcome: ChangeOutcome, verb: string): Order {
  if (outcome.kind === "changed") return parseOrder(outcome.order);
  throw new RefusedError(answerChanged(outcome, verb));
}
