/**
 * Owns the baristas' views: search, one order, the queue's length.
 *
 * **Invariants**
 * - A page is bounded, and a search changes nothing.
 */
import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { DATE, DATE_TIME } from "../../formats.ts";
import { answerJson } from "../../http/json.ts";
import { documented } from "../../http/documented.ts";
import { createQueryReader } from "../../http/input.ts";
import type { WaitLimit } from "../../limits/wait-limit.ts";
import { Order, READY_EXAMPLE, Status } from "../../orders/order.ts";
import { DEFAULT_QUEUE, type Orders } from "../../orders/orders.ts";
import { QueueView, SearchPage } from "../../orders/views.ts";
import { InvalidInputError } from "../../problem.ts";
import { answerFound } from "../answers.ts";
import { Cursor, OrderParams, PAGE_LIMIT, PageLimit, readOrderId, type PathContext } from "../parameters.ts";
import { QueueName } from "./order-descriptions.ts";

const DAY_MS = 86_400_000;

const SearchQuery = Type.Object({
  queue: Type.Optional(QueueName),
  status: Type.Optional(Status),
  customer_id: Type.Optional(Type.String({ minLength: 1, maxLength: 64, description: "1 to 64 characters" })),
  date: Type.Optional(Type.String({ format: DATE, description: "a day (UTC) such as 2026-11-20" })),
  from: Type.Optional(Type.String({ format: DATE_TIME, description: "a time such as 2026-11-20T09:00:00Z" })),
  to: Type.Optional(Type.String({ format: DATE_TIME, description: "a time such as 2026-11-20T17:00:00Z" })),
  cursor: Type.Optional(Cursor),
  limit: Type.Optional(PageLimit),
});

const QueueQuery = Type.Object({ queue: Type.Optional(QueueName) });

export interface QueueDependencies {
  readonly orders: Pick<Orders, "find" | "search" | "measure">;
  /** The wait limit of the customers whom this server holds. */
  readonly waitLimit: Pick<WaitLimit, "waiting">;
  /** How long a started order of a queue stays with its barista. */
  readonly leaseSecondsOf: (queue: string) => number;
}

export function queueRoutes(dependencies: QueueDependencies) {
  return new Elysia()
    .get("/order/", createSearchOrders(dependencies), SEARCH_ORDERS)
    .get("/order/:id", createFindOrder(dependencies), FIND_ORDER)
    .get("/queue", createMeasureQueue(dependencies), MEASURE_QUEUE);
}

function createSearchOrders({ orders }: QueueDependencies) {
  const readSearch = createQueryReader(SearchQuery);

  return async ({ request }: { request: Request }): Promise<Response> => {
    const {
      queue: name,
      status,
      customer_id: customerId,
      date,
      from,
      to,
      cursor,
      limit = PAGE_LIMIT,
    } = readSearch(request);
    const queue = name === DEFAULT_QUEUE ? undefined : name;
    if (queue !== undefined && customerId !== undefined) {
      throw new InvalidInputError([{ field: "customer_id", detail: "must be left out: calls have none" }]);
    }
    const outcome = await orders.search({ queue, status, customerId, ...readRange(date, from, to), cursor, limit });
    if (outcome.kind === "cursor_gone") {
      const detail = "points at an order that is no longer kept: search again without it";
      throw new InvalidInputError([{ field: "cursor", detail }]);
    }
    return answerJson(`{"orders":[${outcome.orders.join()}],"cursor":${JSON.stringify(outcome.cursor ?? null)}}`);
  };
}

/** A day, narrowed by `from` and `to`; those alone need no day. */
function readRange(
  date: string | undefined,
  from: string | undefined,
  to: string | undefined,
): { fromMs: number; beforeMs: number } {
  const isOneDay = date !== undefined || (from === undefined && to === undefined);
  const dayMs = isOneDay ? Date.parse(date ?? new Date().toISOString().slice(0, 10)) : 0;
  const dayEndMs = isOneDay ? dayMs + DAY_MS : Number.MAX_SAFE_INTEGER;
  return {
    fromMs: Math.max(dayMs, from === undefined ? 0 : Date.parse(from)),
    beforeMs: Math.min(dayEndMs, to === undefined ? dayEndMs : Date.parse(to)),
  };
}

function createFindOrder({ orders }: QueueDependencies) {
  return async ({ params }: PathContext): Promise<Response> => answerFound(await orders.find(readOrderId(params)));
}

function createMeasureQueue({ orders, waitLimit, leaseSecondsOf }: QueueDependencies) {
  const readQueue = createQueryReader(QueueQuery);

  return async ({ request }: { request: Request }): Promise<Response> => {
    const { queue = DEFAULT_QUEUE } = readQueue(request);
    const { depth, brewing, oldestWaitingSeconds, damaged } = await orders.measure(queue);
    return answerJson(
      JSON.stringify({
        queue,
        depth,
        brewing,
        oldest_waiting_seconds: oldestWaitingSeconds,
        held: waitLimit.waiting,
        damaged,
        lease_seconds: leaseSecondsOf(queue),
      }),
    );
  };
}

const SEARCH_ORDERS = documented({
  query: SearchQuery,
  tag: "Search",
  operationId: "searchOrders",
  summary: "Search orders",
  description:
    "By the time they were placed, oldest first. Without `date`, `from` or `to`: today's (UTC). `from` is included, `to` is not. " +
    "With `queue`: those of that queue of machines.",
  answers: {
    200: {
      description: "A page of orders.",
      schema: SearchPage,
      example: { orders: [READY_EXAMPLE], cursor: null },
    },
  },
  problems: ["unauthorized", "invalid_input", "redis_away", "closing"],
});

const FIND_ORDER = documented({
  params: OrderParams,
  tag: "Search",
  operationId: "findOrder",
  summary: "Look at an order",
  answers: { 200: { description: "The order as it is now.", schema: Order } },
  problems: ["unauthorized", "order_unknown", "invalid_input", "redis_away"],
});

const MEASURE_QUEUE = documented({
  query: QueueQuery,
  tag: "Search",
  operationId: "measureQueue",
  summary: "How long is the queue?",
  answers: { 200: { description: "The queue now.", schema: QueueView } },
  problems: ["unauthorized", "invalid_input", "redis_away"],
});
