/**
 * Owns how orders and their refusals become answers on either port.
 *
 * **Invariants**
 * - An order is never cached on its way.
 */
import type { FindOutcome } from "../orders/lookups.ts";
import type { OrderJson } from "../orders/order.ts";
import type { ChangeOutcome } from "../orders/outcomes.ts";
import { problem } from "../problem.ts";

interface AnswerOptions {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

const HEADERS = new Headers({ "Content-Type": "application/json", "Cache-Control": "no-store" });
const PLAIN = { headers: HEADERS };

/** An order, or anything else that is JSON already. */
export function answerJson(json: OrderJson, { status, headers }: AnswerOptions = {}): Response {
  // Bun copies headers that it has made at a third of what it takes to make them of an object.
  const answer = new Response(json, status === undefined ? PLAIN : { status, headers: HEADERS });
  for (const name in headers) answer.headers.set(name, headers[name] ?? "");
  return answer;
}

/** The order; 404, or 500 when its record is damaged. */
export function answerFound(outcome: FindOutcome, options?: AnswerOptions): Response {
  if (outcome.kind === "found") return answerJson(outcome.order, options);
  return outcome.kind === "unknown" ? unknownOrder() : damagedOrder();
}

/** The changed order; 404 or 409 when the verb was refused. `verb` completes "can't be …". */
export function answerChanged(outcome: ChangeOutcome, verb: string): Response {
  if (outcome.kind === "changed") return answerJson(outcome.order);
  if (outcome.kind === "unknown") return unknownOrder();
  if (outcome.kind === "damaged") return damagedOrder();
  const holder = outcome.barista ? ` (barista: ${outcome.barista})` : "";
  return problem("order_conflict", {
    detail: `The order is ${outcome.status}${holder}: it can't be ${verb} now.`,
    order_status: outcome.status,
  });
}

export function damagedOrder(): Response {
  return problem("order_damaged");
}

export function unknownOrder(): Response {
  return problem("order_unknown");
}

/** For requests that would begin something while the server is stopping. */
export function answerClosing(): Response {
  return problem("closing", { headers: { "Retry-After": "1", Connection: "close" } });
}
