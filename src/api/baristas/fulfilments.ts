/**
 * Owns the baristas' routes of fulfilments: look, search, complete and reject.
 *
 * **Invariants**
 * - A page is bounded, and a search changes nothing.
 */
import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { DATE } from "../../formats.ts";
import { documented } from "../../http/documented.ts";
import { createBodyReader, createQueryReader, missingBody } from "../../http/input.ts";
import { answerJson } from "../../http/json.ts";
import type { ReadTraceparent } from "../../http/traceparent.ts";
import { Fulfilment, FulfilmentPage, FulfilmentPatch, FulfilmentStatus } from "../../orders/fulfilment.ts";
import { statusesOf, toFulfilmentJson } from "../../orders/fulfilment.ts";
import type { Orders } from "../../orders/orders.ts";
import { InvalidInputError } from "../../problem.ts";
import type { Fulfilling } from "../../service/fulfilling.ts";
import { answerChanged, answerFound, CURSOR_GONE } from "../answers.ts";
import { readRange } from "../day.ts";
import { Cursor, OrderParams, PAGE_LIMIT, PageLimit, readOrderId, type PathContext } from "../parameters.ts";
import { BaristaName } from "./order-descriptions.ts";

const SearchQuery = Type.Object({
  date: Type.Optional(Type.String({ format: DATE, description: "a day (UTC) such as 2026-11-20" })),
  status: Type.Optional(FulfilmentStatus),
  cursor: Type.Optional(Cursor),
  limit: Type.Optional(PageLimit),
});

const PatchQuery = Type.Object({ barista: Type.Optional(BaristaName) });

export interface FulfilmentDependencies {
  readonly orders: Pick<Orders, "find" | "search">;
  readonly fulfilling: Pick<Fulfilling, "complete" | "reject">;
  readonly readTraceparent: ReadTraceparent;
}

export function fulfilmentRoutes(dependencies: FulfilmentDependencies) {
  return new Elysia()
    .get("/fulfilment", createSearch(dependencies), SEARCH_FULFILMENTS)
    .get("/fulfilment/:id", createFind(dependencies), FIND_FULFILMENT)
    .patch("/fulfilment/:id", createChange(dependencies), CHANGE_FULFILMENT);
}

function createSearch({ orders }: FulfilmentDependencies) {
  const readSearch = createQueryReader(SearchQuery);

  return async ({ request }: { request: Request }): Promise<Response> => {
    const { date, status, cursor, limit = PAGE_LIMIT } = readSearch(request);
    const statuses = status && statusesOf(status);
    const outcome = await orders.search({ statuses, ...readRange({ date }), cursor, limit });
    if (outcome.kind === "cursor_gone") throw new InvalidInputError([CURSOR_GONE]);
    const page = outcome.orders.map(toFulfilmentJson).join();
    return answerJson(`{"fulfilments":[${page}],"cursor":${JSON.stringify(outcome.cursor ?? null)}}`);
  };
}

function createFind({ orders }: FulfilmentDependencies) {
  return async ({ params }: PathContext): Promise<Response> => {
    const found = await orders.find(readOrderId(params));
    return found.kind === "found" ? answerJson(toFulfilmentJson(found.order)) : answerFound(found);
  };
}

function createChange({ fulfilling, readTraceparent }: FulfilmentDependencies) {
  const readQuery = createQueryReader(PatchQuery);
  const readPatch = createBodyReader(FulfilmentPatch);

  return async ({ params, request }: PathContext): Promise<Response> => {
    const orderId = readOrderId(params);
    const { barista } = readQuery(request);
    const patch = await readPatch(request);
    if (!patch) throw missingBody(FulfilmentPatch.description);
    const isComplete = patch.status === "FULFILMENT_COMPLETED";
    const change = { orderId, barista, traceparent: readTraceparent(request.headers) };
    const outcome = await (isComplete ? fulfilling.complete(change) : fulfilling.reject(change));
    if (outcome.kind === "changed") return answerJson(toFulfilmentJson(outcome.order));
    return answerChanged(outcome, isComplete ? "completed" : "rejected");
  };
}

const SEARCH_FULFILMENTS = documented({
  query: SearchQuery,
  tag: "Fulfilment",
  operationId: "searchFulfilments",
  summary: "Search fulfilments",
  description: "Those of the counter's orders of a day, by the time they were placed, oldest first.",
  answers: { 200: { description: "A page of fulfilments.", schema: FulfilmentPage } },
  problems: ["unauthorized", "invalid_input", "redis_away", "closing"],
});

const FIND_FULFILMENT = documented({
  params: OrderParams,
  tag: "Fulfilment",
  operationId: "findFulfilment",
  summary: "Look at a fulfilment",
  answers: { 200: { description: "The fulfilment as it is now.", schema: Fulfilment } },
  problems: ["unauthorized", "order_unknown", "invalid_input", "redis_away"],
});

const CHANGE_FULFILMENT = documented({
  params: OrderParams,
  query: PatchQuery,
  body: { schema: FulfilmentPatch, required: true },
  tag: "Fulfilment",
  operationId: "changeFulfilment",
  summary: "Complete or reject a fulfilment",
  description:
    "`FULFILMENT_COMPLETED` finishes the order; one that is queued is started on the way, under `barista`. " +
    "`FULFILMENT_REJECTED` cancels it. The same again answers the same.",
  answers: { 200: { description: "It is changed.", schema: Fulfilment } },
  problems: [
    "unauthorized",
    "order_unknown",
    "order_conflict",
    "malformed_json",
    "body_too_large",
    "not_json",
    "invalid_input",
    "redis_away",
  ],
});
