/**
 * Owns the errors of both ports: RFC 9457 problem details, one table from outcome to status.
 *
 * **Invariants**
 * - A problem says what to do, names the faulty field where there is one, and shows nothing internal.
 */

const kind = (status: number, title: string, detail: string) => ({ status, title, detail });

/** `detail` is a sentence for the person who has to act on it. A caller that knows more gives its own. */
const PROBLEMS = {
  malformed_json: kind(
    400,
    "Malformed JSON",
    "The body does not parse as JSON (SyntaxError: JSON Parse error: Expected '}').",
  ),
  malformed_query: kind(
    400,
    "Malformed query",
    "The query is no GraphQL, or asks for what the schema does not have, or for too much.",
  ),
  malformed_host: kind(400, "Malformed Host", "Send the server's name, and its port, in the Host header."),
  webhook_forged: kind(
    400,
    "Not signed by the provider",
    "A webhook is taken with the provider's own, fresh signature: check STRIPE_WEBHOOK_SECRET, and the clocks.",
  ),
  malformed_target: kind(400, "Malformed target", "Send the path alone, without a # in it: %23 spells one."),
  unauthorized: kind(401, "Not authorized", "Send Authorization: Bearer with the staff token."),
  code_required: kind(403, "A code is needed", "Send the `code` from the board."),
  cross_site: kind(
    403,
    "Not from another site",
    "A page of another site sent this request: use the server's own page.",
  ),
  link_forged: kind(
    403,
    "Not a link of this shop",
    "This link was altered or cut off: send it whole, as it was given with the order.",
  ),
  payment_declined: kind(402, "The card was refused", "Your card was declined: try another one."),
  coffee_unknown: kind(404, "No such coffee", "There is no such coffee on the menu (GET /coffees)."),
  order_unknown: kind(404, "No such order", "There is no order with this id, or it is no longer kept."),
  payment_unknown: kind(
    404,
    "No such payment",
    "There is no payment of this order: nothing is to be paid for it, or it is no longer kept.",
  ),
  queue_unknown: kind(404, "No such queue", "There is no such queue of machines here: GET /queue lists them."),
  queue_empty: kind(404, "No order to start", "No order waits: ask again, or use ?wait=20."),
  rule_unknown: kind(404, "No such rule", "This server has no rule of this name: GET /rules lists them."),
  delivery_unknown: kind(
    404,
    "No such dead letter",
    "The rule has no dead letter of this event: GET /rules/:name/dead.",
  ),
  route_unknown: kind(404, "No such route", "This path is not known here; /swagger lists the routes."),
  method_not_allowed: kind(405, "Method not allowed", "/start/ takes GET, not HEAD."),
  order_conflict: kind(
    409,
    "The order's state does not allow this",
    "The order is ready (barista: Grace): it can't be cancelled now.",
  ),
  no_cards: kind(409, "No cards", "This server takes no cards: ask the shop how to pay."),
  payment_conflict: kind(409, "The payment's state does not allow this", "The order is paid already."),
  code_used_up: kind(409, "The code is used up", "All drinks of this code are taken: wait for the next code."),
  too_many_open: kind(
    409,
    "Too many open orders",
    "You have as many open orders as one customer may have: wait for one.",
  ),
  menu_full: kind(409, "The menu is full", "There are as many coffees as a menu may have: remove one."),
  body_too_large: kind(413, "Body too large", "The body must be at most 16384 bytes."),
  not_json: kind(415, "Not JSON", "Send JSON, with Content-Type: application/json, or no body."),
  invalid_input: kind(422, "Invalid input", "item must be the id of a coffee on the menu"),
  idempotency_mismatch: kind(
    422,
    "Idempotency-Key used with another body",
    "Send the same body with this Idempotency-Key, or another key.",
  ),
  too_many_orders: kind(429, "Too many orders", "Your address orders too fast: try again in 3 s."),
  queue_full: kind(429, "The queue is full", "The queue has all the orders it can take: try again soon."),
  too_many_requests: kind(429, "Too many requests", "Your address sends requests too fast: try again in 1 s."),
  too_many_held: kind(429, "Too many requests held", "Too many requests of your address wait already: let some end."),
  too_many_tokens: kind(
    429,
    "Too many wrong tokens",
    "Too many wrong tokens came from your address: send the right one, or try again in 42 s.",
  ),
  order_damaged: kind(
    500,
    "The order's record is damaged",
    "This order can't be read or made: the shop's staff see it (GET /damaged), and can put it right.",
  ),
  shop_damaged: kind(
    500,
    "A record of the shop is damaged",
    "What this needs can't be read: the shop's staff see it (GET /damaged), and can put it right. Try again later.",
  ),
  internal: kind(500, "Internal error", "Something went wrong here. Try again."),
  shop_closed: kind(503, "Closed", "The shop is closed: come back when it opens."),
  shop_full: kind(503, "Full", "The shop has all the orders it can take: try again soon."),
  room_full: kind(503, "Waiting room full", "Everybody here waits: try again soon."),
  redis_away: kind(503, "Storage does not answer", "Try again in a few seconds."),
  closing: kind(503, "Closing", "The server is stopping: ask again in a moment."),
};

export type ProblemName = keyof typeof PROBLEMS;

/** What a request meets that fails by no fault of its own, as it is counted. */
export const FAULTS = ["internal", "shop_damaged"] as const satisfies readonly ProblemName[];
export type Fault = (typeof FAULTS)[number];

/** A fault in one field of the input. */
export interface FieldFault {
  readonly field: string;
  readonly detail: string;
}

export interface ProblemOptions {
  /** Absent: the detail of the table. */
  readonly detail?: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly errors?: readonly FieldFault[];
  /** The state that an order is in, for a verb that this state does not allow. */
  readonly order_status?: string;
}

/** A problem as it usually goes over the wire. */
export function exampleOf(name: ProblemName) {
  return { type: `urn:longpour:problem:${name}`, ...PROBLEMS[name] };
}

const PROBLEM_HEADERS = new Headers({ "Content-Type": "application/problem+json", "Cache-Control": "no-store" });
const plain = new Map<ProblemName, string>();

/** The answer for one problem. */
export function problem(name: ProblemName, options?: ProblemOptions): Response {
  return options ? describedProblem(name, options) : plainProblem(name);
}

/** As the table says it. */
function plainProblem(name: ProblemName): Response {
  let body = plain.get(name);
  if (body === undefined) {
    body = JSON.stringify(exampleOf(name));
    plain.set(name, body);
  }
  return new Response(body, { status: PROBLEMS[name].status, headers: PROBLEM_HEADERS });
}

function describedProblem(name: ProblemName, { headers, ...members }: ProblemOptions): Response {
  const body = { ...exampleOf(name), ...members };
  return new Response(JSON.stringify(body), {
    status: body.status,
    headers: { "Content-Type": "application/problem+json", "Cache-Control": "no-store", ...headers },
  });
}

/** 422 that names each faulty field. */
export function invalidInput(errors: readonly FieldFault[], headers: ProblemOptions["headers"] = {}): Response {
  return problem("invalid_input", { ...describeFaults(errors), headers });
}

function describeFaults(errors: readonly FieldFault[]): ProblemOptions {
  return { detail: sayFaults(errors), errors };
}

/** All faults in one line. */
export function sayFaults(faults: readonly FieldFault[]): string {
  return faults.map(({ field, detail }) => `${field} ${detail}`).join("; ");
}

/** A problem on its way to `createApp`, which answers it. Only transport throws it: `src/http/` and `src/api/`. */
export class ProblemError extends Error {
  override readonly name = "ProblemError";
  readonly #problem: ProblemName;
  readonly #options: ProblemOptions | undefined;

  constructor(name: ProblemName, options?: ProblemOptions) {
    super(name);
    this.#problem = name;
    this.#options = options;
  }

  answer(): Response {
    return problem(this.#problem, this.#options);
  }
}

/** The problem of input that names each faulty field. */
export class InvalidInputError extends ProblemError {
  constructor(errors: readonly FieldFault[]) {
    super("invalid_input", describeFaults(errors));
  }
}
