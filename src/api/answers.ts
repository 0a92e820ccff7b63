/**
 * Owns how the outcomes that both ports know become answers: an order, or why there is none.
 *
 * **Invariants**
 * - An answer says what to do where the outcome is a refusal.
 */
import { answerJson } from "../http/json.ts";
import type { FindOutcome } from "../orders/queries.ts";
import type { ChangeOutcome } from "../orders/outcomes.ts";
import { problem, type FieldFault } from "../problem.ts";

/** The fault of a `cursor` whose order is gone. */
export const CURSOR_GONE: FieldFault = {
  field: "cursor",
  detail: "points at an order that is no longer kept: search again without it",
};

/** The order; 404, or 500 when its record is damaged. `options` are of the order's answer. */
export function answerFound(outcome: FindOutcome, options?: Parameters<typeof answerJson>[1]): Response {
  if (outcome.kind === "found") return answerJson(outcome.order, options);
  return problem(outcome.kind === "unknown" ? "order_unknown" : "order_damaged");
}

/** The changed order; 404 or 409 when the verb was refused. `verb` completes "can't be …". */
export function answerChanged(outcome: ChangeOutcome, verb: string): Response {
  if (outcome.kind === "changed") return answerJson(outcome.order);
  if (outcome.kind === "unknown") return problem("order_unknown");
  if (outcome.kind === "damaged") return problem("order_damaged");
  const holder = outcome.barista ? ` (barista: ${outcome.barista})` : "";
  return problem("order_conflict", {
    detail: `The order is ${outcome.status}${holder}: it can't be ${verb} now.`,
    order_status: outcome.status,
  });
}

/** For requests that would begin something while the server is stopping. */
export function answerClosing(): Response {
  return problem("closing", { headers: { "Retry-After": "1", Connection: "close" } });
}

/** For who would listen to events while as many do as there may be. */
export function answerTooManyListeners(): Response {
  return problem("room_full", { detail: "Too many listen here: try again soon.", headers: { "Retry-After": "5" } });
}
