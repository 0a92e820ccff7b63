/**
 * Owns the customers' routes of the work service: demand, and look at rows.
 *
 * **Invariants**
 * - A demand is answered at once: its result is looked for later.
 */
import { Elysia } from "elysia";
import { readIdempotencyKey } from "../../http/idempotency.ts";
import { createBodyReader, createParamsReader, createQueryReader } from "../../http/input.ts";
import { answerJson } from "../../http/json.ts";
import type { ReadTraceparent } from "../../http/traceparent.ts";
import type { LabelCursor } from "../../orders/labels.ts";
import { problem } from "../../problem.ts";
import type { Ordering } from "../../service/ordering.ts";
import { WorkDraft } from "../../work/input.ts";
import type { RowOutcome, WorkService } from "../../work/service.ts";
import { PAGE_LIMIT, type PathContext } from "../parameters.ts";
import { answerRefusal } from "../refusals.ts";
import type { ClientOf } from "./request-pace.ts";
import { DEMAND_WORK, FIND_WORK, SEARCH_WORK, WorkParams, WorkSearchQuery } from "./work-descriptions.ts";

export interface WorkDependencies {
  readonly ordering: Pick<Ordering, "refuseEarly">;
  /** Undefined: the service is off. */
  readonly work: WorkService | undefined;
  readonly readTraceparent: ReadTraceparent;
}

export function workRoutes(dependencies: WorkDependencies, clientOf: ClientOf) {
  const { work } = dependencies;
  const routes = new Elysia();
  if (!work) return routes;
  return routes
    .post("/work", createDemandWork({ ...dependencies, work }, clientOf), DEMAND_WORK)
    .get("/work/search", createSearchWork(work), SEARCH_WORK)
    .get("/work/:id", createFindWork(work), FIND_WORK);
}

function createDemandWork(
  { ordering, readTraceparent, work }: WorkDependencies & { readonly work: WorkService },
  clientOf: ClientOf,
) {
  const readDraft = createBodyReader(WorkDraft, { isFromCurl: true });
  const { limiter } = work.queue;

  return async ({ request }: { request: Request }): Promise<Response> => {
    const address = clientOf(request);
    const refusal = await ordering.refuseEarly(address, request.headers.has("idempotency-key"), work.queue);
    if (refusal) return answerRefusal(refusal, limiter);
    const key = readIdempotencyKey(request.headers);
    const draft = (await readDraft(request)) ?? {};
    const outcome = await work.demand({ address, key, draft, traceparent: readTraceparent(request.headers) });
    if (outcome.kind !== "accepted") return answerRefusal(outcome, limiter);
    const { row, limit } = outcome;
    const headers = limit && limiter.headers(limit);
    if (row.kind !== "found") return answerRow(row);
    return answerJson(JSON.stringify(row.row), {
      status: 201,
      headers: { ...headers, Location: `/work/${row.row.id}` },
    });
  };
}

function createFindWork(work: WorkService) {
  const readParams = createParamsReader(WorkParams);

  return async ({ params }: PathContext): Promise<Response> =>
    answerRow(await work.find(Number(readParams(params).id)));
}

function createSearchWork(work: WorkService) {
  const readSearch = createQueryReader(WorkSearchQuery);

  return async ({ request }: { request: Request }): Promise<Response> => {
    const { work_code: workCode, from, to, done, cursor, limit = PAGE_LIMIT } = readSearch(request);
    const isDone = done === undefined ? undefined : done === "true";
    const page = await work.search({ workCode, from, to, isDone, cursor: readCursor(cursor), limit });
    const next = page.cursor ? `${page.cursor.label}.${page.cursor.number}` : null;
    return answerJson(JSON.stringify({ rows: page.rows, cursor: next }));
  };
}

/** `<label>.<number>`: no id of an order, for knowing that is the right to cancel it. */
function readCursor(cursor: string | undefined): LabelCursor | undefined {
  if (cursor === undefined) return undefined;
  const [label = "", number = ""] = cursor.split(".");
  return { label, number };
}

function answerRow(outcome: RowOutcome): Response {
  if (outcome.kind === "found") return answerJson(JSON.stringify(outcome.row));
  if (outcome.kind === "damaged") return problem("order_damaged");
  return problem("order_unknown", { detail: "There is no row with this id, or it is no longer kept." });
}
