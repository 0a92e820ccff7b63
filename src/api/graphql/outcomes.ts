/**
 * Owns how the outcomes of orders become what resolvers return: an order, or the problem that it would be over HTTP.
 *
 * **Invariants**
 * - What is no order is a RefusedError.
 */
import type { Order } from "../../orders/order.ts";
import type { ChangeOutcome } from "../../orders/outcomes.ts";
import type { FindOutcome } from "../../orders/queries.ts";
import { answerChanged, answerFound } from "../answers.ts";
import { readOrderId } from "../parameters.ts";
import { RefusedError } from "./errors.ts";

/** The order of an argument `id`. Throws a ProblemError for what is no id. */
export function readId(id: string): string {
  return readOrderId({ id });
}

export function parseOrder(json: string): Order {
  return JSON.parse(json) as Order;
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
