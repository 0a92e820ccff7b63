/**
 * Owns the baristas' routes of states: how many orders are in each, and which.
 *
 * **Invariants**
 * - A look changes nothing, and is bounded.
 */
import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { documented } from "../../http/documented.ts";
import { createParamsReader, createQueryReader } from "../../http/input.ts";
import { answerJson } from "../../http/json.ts";
import { oneOf, QUEUED_EXAMPLE } from "../../orders/order.ts";
import { DEFAULT_QUEUE, type Orders } from "../../orders/orders.ts";
import type { StateMeasure } from "../../orders/open-states.ts";
import { OPEN_STATUSES } from "../../orders/status.ts";
import { SearchPage, StatesView } from "../../orders/views.ts";
import { PAGE_LIMIT, PageLimit } from "../parameters.ts";
import { QueueName } from "./order-descriptions.ts";

const StatesQuery = Type.Object({ queue: Type.Optional(QueueName) });

const StateParams = Type.Object({ state: oneOf(OPEN_STATUSES) });
/** Which of a state's indexes, the score there, and the order's id. */
const PLACE = "^[1-9]:-?\\d{1,20}(\\.\\d{1,20})?(e[+-]?\\d{1,3})?:[\\da-f-]{36}$";
const StateQuery = Type.Object({
  queue: Type.Optional(QueueName),
  cursor: Type.Optional(Type.String({ pattern: PLACE, description: "the `cursor` of the page before" })),
  limit: Type.Optional(PageLimit),
});

export interface StateDependencies {
  readonly orders: Pick<Orders, "measureStates" | "listState">;
}

interface Context {
  readonly request: Request;
  readonly params: { readonly state: string };
}

export function stateRoutes(dependencies: StateDependencies) {
  return new Elysia()
    .get("/states", createMeasureStates(dependencies), MEASURE_STATES)
    .get("/states/:state", createListState(dependencies), LIST_STATE);
}

function createMeasureStates({ orders }: StateDependencies) {
  const readQuery = createQueryReader(StatesQuery);
  return async ({ request }: Pick<Context, "request">): Promise<Response> => {
    const { queue = DEFAULT_QUEUE } = readQuery(request);
    return answerJson(JSON.stringify(toView(queue, await orders.measureStates(queue))));
  };
}

function toView(queue: string, { open, spanMs, events, machineQueues }: StateMeasure): StatesView {
  return { queue, open, span_seconds: spanMs / 1000, events, queues: [DEFAULT_QUEUE, ...machineQueues] };
}

function createListState({ orders }: StateDependencies) {
  const readParams = createParamsReader(StateParams);
  const readQuery = createQueryReader(StateQuery);
  return async ({ params, request }: Context): Promise<Response> => {
    const { state } = readParams(params);
    const { queue = DEFAULT_QUEUE, cursor, limit = PAGE_LIMIT } = readQuery(request);
    const page = await orders.listState({ state, queue, cursor, limit });
    return answerJson(`{"orders":[${page.orders.join()}],"cursor":${JSON.stringify(page.cursor ?? null)}}`);
  };
}

const MEASURE_STATES = documented({
  query: StatesQuery,
  tag: "Search",
  operationId: "measureStates",
  summary: "How many orders are in each state?",
  description:
    "The open orders of a queue by state, and how often what happened to its orders in the last minute. " +
    "In a rush the last 1,000 events or so are looked at: `span_seconds` says how far back they reach.",
  answers: { 200: { description: "The states now.", schema: StatesView } },
  problems: ["unauthorized", "invalid_input", "redis_away"],
});

const LIST_STATE = documented({
  params: StateParams,
  query: StateQuery,
  tag: "Search",
  operationId: "listState",
  summary: "Which orders are in a state?",
  description:
    "The open orders of a queue in one state. Queued ones come as they are to be started, those that failed and wait to be tried again last; " +
    "others by when their time is over (reserved, unpaid, brewing) or comes (scheduled).",
  answers: {
    200: { description: "A page of orders.", schema: SearchPage, example: { orders: [QUEUED_EXAMPLE], cursor: null } },
  },
  problems: ["unauthorized", "invalid_input", "redis_away", "closing"],
});
