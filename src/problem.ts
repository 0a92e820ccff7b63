/**
 * Owns the errors of both ports: RFC 9457 problem details, one table from outcome to status.
 * Always holds: a problem says what to do, names the faulty field where there is one, and tells nothing internal.
 */

const PROBLEMS = {
  malformed_json: { status: 400, title: "Malformed JSON" },
  malformed_host: { status: 400, title: "Malformed Host" },
  unauthorized: { status: 401, title: "Not authorized" },
  code_required: { status: 403, title: "A code is needed" },
  cross_site: { status: 403, title: "Not from another site" },
  coffee_unknown: { status: 404, title: "No such coffee" },
  order_unknown: { status: 404, title: "No such order" },
  queue_empty: { status: 404, title: "No order to start" },
  route_unknown: { status: 404, title: "No such route" },
  method_not_allowed: { status: 405, title: "Method not allowed" },
  order_conflict: { status: 409, title: "The order's state does not allow this" },
  code_used_up: { status: 409, title: "The code is used up" },
  too_many_open: { status: 409, title: "Too many open orders" },
  menu_full: { status: 409, title: "The menu is full" },
  body_too_large: { status: 413, title: "Body too large" },
  not_json: { status: 415, title: "Not JSON" },
  invalid_input: { status: 422, title: "Invalid input" },
  idempotency_mismatch: { status: 422, title: "Idempotency-Key used with another body" },
  too_many_orders: { status: 429, title: "Too many orders" },
  too_many_held: { status: 429, title: "Too many requests held" },
  too_many_tokens: { status: 429, title: "Too many wrong tokens" },
  internal: { status: 500, title: "Internal error" },
  shop_closed: { status: 503, title: "Closed" },
  shop_full: { status: 503, title: "Full" },
  room_full: { status: 503, title: "Waiting room full" },
  redis_away: { status: 503, title: "Storage does not answer" },
  closing: { status: 503, title: "Closing" },
} as const;

export type ProblemName = keyof typeof PROBLEMS;

/** A fault in one field of the input. */
export interface FieldFault {
  readonly field: string;
  readonly detail: string;
}

export interface ProblemOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly errors?: readonly FieldFault[];
  /** The state that an order is in, for a verb that this state does not allow. */
  readonly order_status?: string;
}

/** The statuses a problem can have, with their titles: for the OpenAPI document. */
export function describeProblem(name: ProblemName): { readonly status: number; readonly title: string } {
  return PROBLEMS[name];
}

/** The answer for one problem. `detail` is a sentence for the person who has to act on it. */
export function problem(name: ProblemName, detail: string, { headers, ...extensions }: ProblemOptions = {}): Response {
  const { status, title } = PROBLEMS[name];
  const body = { type: `urn:longpour:problem:${name}`, title, status, detail, ...extensions };
  return new Response(JSON.stringify(body), {
    status,
    headers: { "Content-Type": "application/problem+json", "Cache-Control": "no-store", ...headers },
  });
}

/** 422 that names each faulty field. */
export function invalidInput(errors: readonly FieldFault[], headers: ProblemOptions["headers"] = {}): Response {
  const detail = errors.map(({ field, detail: fault }) => `${field} ${fault}`).join("; ");
  return problem("invalid_input", detail, { headers, errors });
}
