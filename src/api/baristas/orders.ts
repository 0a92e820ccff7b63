/**
 * Owns the baristas' routes of an order: start, finish, fail, release, extend, cancel.
 *
 * **Invariants**
 * - Start and finish make an answer of an outcome at once: a `then` would be a promise more.
 */
import type { Static } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { answerJson } from "../../http/json.ts";
import { readIdempotencyKey } from "../../http/idempotency.ts";
import { createBodyReader, createQueryReader, missingBody, readResult } from "../../http/input.ts";
import { failureOf } from "../../orders/operations/fail.ts";
import type { ReadTraceparent } from "../../http/traceparent.ts";
import type { Change, ChangeOutcome } from "../../orders/outcomes.ts";
import type { OrderJson } from "../../orders/order.ts";
import type { Orders } from "../../orders/orders.ts";
import { FailureDraft, ProgressDraft } from "../../orders/views.ts";
import { InvalidInputError, problem, ProblemError } from "../../problem.ts";
import type { Handover, Staffing, StaffingOutcome } from "../../service/staffing.ts";
import { createLinking, type Link, type LinkingDependencies } from "./linking.ts";
import { answerChanged, answerClosing } from "../answers.ts";
import {
  CANCEL_ORDER,
  CancelQuery,
  ChangeQuery,
  EXTEND_ORDER,
  FAIL_ORDER,
  FINISH_ORDER,
  FinishQuery,
  PROGRESS_ORDER,
  RELEASE_ORDER,
  ReleaseQuery,
  START_ORDER,
  StartQuery,
} from "./order-descriptions.ts";

export interface OrderDependencies extends LinkingDependencies {
  readonly orders: Pick<Orders, "finish" | "fail" | "release" | "extend" | "progress">;
  readonly staffing: Staffing;
  readonly readTraceparent: ReadTraceparent;
}

const NEEDS_NEXT = "is of the order that `next` starts: send both";

interface Context {
  readonly request: Request;
}

export function orderRoutes(dependencies: OrderDependencies) {
  const { orders } = dependencies;
  return new Elysia()
    .get("/start/", createStartOrder(dependencies), START_ORDER)
    .post("/finish/", createFinishOrder(dependencies), FINISH_ORDER)
    .post("/fail/", createFailOrder(dependencies), FAIL_ORDER)
    .post("/release/", createReleaseOrder(dependencies), RELEASE_ORDER)
    .post("/progress/", createProgressOrder(dependencies), PROGRESS_ORDER)
    .post("/extend/", createChangeOrder(orders.extend, "extended"), EXTEND_ORDER)
    .post("/cancel/", createCancelOrder(dependencies), CANCEL_ORDER);
}

function createStartOrder({ staffing, readTraceparent, ...dependencies }: OrderDependencies) {
  const readStart = createQueryReader(StartQuery);
  const prepare = createLinking(dependencies);

  // No async function here, nor for a finish. Elysia waits for their promises, as a call stands behind a return.
  return ({ request }: Context): Promise<Response> => {
    // A HEAD would take an order, and its answer could not say which.
    if (request.method === "HEAD") throw new ProblemError("method_not_allowed", { headers: { Allow: "GET" } });
    const { wait: seconds = 0, barista, queue, order_id, link } = readStart(request);
    const key = readIdempotencyKey(request.headers);
    const { signal } = request;
    const traceparent = readTraceparent(request.headers);
    const wanted = { key, barista, queue, orderId: order_id?.toLowerCase(), traceparent, seconds, signal };
    if (link === undefined) return staffing.start(wanted, answerStart);
    return prepare(request).then((add) => staffing.start(wanted, (outcome) => answerStart(outcome, add)));
  };
}

function answerStart(outcome: StaffingOutcome, link: Link = asItIs): Response {
  switch (outcome.kind) {
    case "started":
      return answerJson(link(outcome.order));
    case "empty":
      return problem("queue_empty");
    case "closing":
      return answerClosing();
    case "unknown":
    case "damaged":
    case "conflict":
      return answerChanged(outcome, "started");
  }
}

/** Without a link. */
function asItIs(order: OrderJson): OrderJson {
  return order;
}

function createFinishOrder({ orders, staffing, readTraceparent, ...dependencies }: OrderDependencies) {
  const readFinish = createQueryReader(FinishQuery);
  const prepare = createLinking(dependencies);

  const finish = (request: Request, wanted: Static<typeof FinishQuery>, result?: string): Promise<Response> => {
    const { order_id, barista, queue, next, link } = wanted;
    const traceparent = readTraceparent(request.headers);
    const finished = { orderId: order_id.toLowerCase(), barista, result, traceparent };
    const key = readIdempotencyKey(request.headers);
    if (next === undefined && link !== undefined) throw new InvalidInputError([{ field: "link", detail: NEEDS_NEXT }]);
    if (next === undefined) return orders.finish.into(finished, answerFinished);
    const start = { key, barista, queue, traceparent, seconds: next, signal: request.signal };
    if (link === undefined) return staffing.finishAndStart(finished, start, answerHandover);
    return prepare(request).then((add) =>
      staffing.finishAndStart(finished, start, (handover) => answerHandover(handover, add)),
    );
  };

  return ({ request }: Context): Promise<Response> | Response => {
    const wanted = readFinish(request);
    return readResult.into(request, (result) => finish(request, wanted, result));
  };
}

function answerFinished(outcome: ChangeOutcome): Response {
  return answerChanged(outcome, "finished");
}

/** A finish that is refused is answered as without a start. */
function answerHandover({ finished, started }: Handover, link: Link = asItIs): Response {
  if (finished.kind !== "changed") return answerFinished(finished);
  const next = started.kind === "started" ? link(started.order) : "null";
  return answerJson(`{"finished":${finished.order},"started":${next}}`);
}

function createFailOrder({ orders, readTraceparent }: OrderDependencies) {
  const readChange = createQueryReader(ChangeQuery);
  const readFailure = createBodyReader(FailureDraft, { isFromCurl: true });

  return async ({ request }: Context): Promise<Response> => {
    const { order_id, barista } = readChange(request);
    const failure = await readFailure(request);
    if (!failure) throw missingBody(FailureDraft.description);
    const change = { orderId: order_id.toLowerCase(), barista, traceparent: readTraceparent(request.headers) };
    return answerChanged(await orders.fail({ ...change, ...failureOf(failure) }), "said to have failed");
  };
}

function createReleaseOrder({ orders, readTraceparent }: OrderDependencies) {
  const readRelease = createQueryReader(ReleaseQuery);

  return async ({ request }: Context): Promise<Response> => {
    const { order_id, barista, uncounted } = readRelease(request);
    const isUncounted = uncounted !== undefined;
    const change = { orderId: order_id.toLowerCase(), barista, traceparent: readTraceparent(request.headers) };
    return answerChanged(await orders.release({ ...change, isUncounted }), "released");
  };
}

function createProgressOrder({ orders }: OrderDependencies) {
  const readChange = createQueryReader(ChangeQuery);
  const readProgress = createBodyReader(ProgressDraft, { isFromCurl: true });

  return async ({ request }: Context): Promise<Response> => {
    const { order_id, barista } = readChange(request);
    const progress = await readProgress(request);
    if (!progress) throw missingBody(ProgressDraft.description);
    const noted = { orderId: order_id.toLowerCase(), barista, progress: JSON.stringify(progress) };
    return answerChanged(await orders.progress(noted), "said to be under way");
  };
}

/** The route of a verb that takes nothing but the order. `done` completes "can't be …". */
function createChangeOrder(verb: (change: Change) => Promise<ChangeOutcome>, done: string) {
  const readChange = createQueryReader(ChangeQuery);

  return async ({ request }: Context): Promise<Response> => {
    const { order_id, barista } = readChange(request);
    return answerChanged(await verb({ orderId: order_id.toLowerCase(), barista }), done);
  };
}

function createCancelOrder({ staffing, readTraceparent }: OrderDependencies) {
  const readCancel = createQueryReader(CancelQuery);

  return async ({ request }: Context): Promise<Response> => {
    const { order_id, barista, reason } = readCancel(request);
    const change = { orderId: order_id.toLowerCase(), barista, traceparent: readTraceparent(request.headers) };
    return answerChanged(await staffing.cancel({ ...change, reason }), "cancelled");
  };
}
