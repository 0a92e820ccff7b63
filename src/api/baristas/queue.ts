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
import { answerFound, CURSOR_GONE } from "../answers.ts";
import { readRange } from "../day.ts";
import { Cursor, OrderParams, PAGE_LIMIT, PageLimit, readOrderId, type PathContext } from "../parameters.ts";
import { QueueName } from "./order-descriptions.ts";

const CustomerId = Type.String({ minLength: 1, maxLength: 64, description: "1 to 64 characters" });

const SearchQuery = Type.Object({
  queue: Type.Optional(QueueName),
  status: Type.Optional(Status),
  customer_id: Type.Optional(CustomerId),
  customerId: Type.Optional({ ...CustomerId, description: `${CustomerId.description}: customer_id spelled otherwise` }),
  date: Type.Optional(Type.String({ format: DATE, description: "a day (UTC) such as 2026-11-20" })),
  from: Type.Optional(Type.String({ format: DATE_TIME, description: "a time such as 2026-11-20T09:00:00Z" })),
  to: Type.Optional(Type.String({ format: DATE_TIME, description: "a time such as 2026-11-20T17:00:00Z" })),
  cursor: Type.Optional(Cursor),
  limit: Type.Optional(PageLimit),
});

const QueueQuery = Type.Object({ queue: Type.Optional(QueueName) });

const TWO_CUSTOMERS = { field: "customerId", detail: "is customer_id: give one of both" };

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
    const { queue: name, status, customer_id, customerId, cursor, limit = PAGE_LIMIT, ...day } = readSearch(request);
    if (customer_id !== undefined && customerId !== undefined) throw new InvalidInputError([TWO_CUSTOMERS]);
    const queue = name === DEFAULT_QUEUE ? undefined : name;
    const customer = customer_id ?? customerId;
    if (queue !== undefined && customer !== undefined) {
      throw new InvalidInputError([{ field: "customer_id", detail: "must be left out: calls have none" }]);
    }
    const statuses = status && [status];
    const wanted = { queue, statuses, customerId: customer, ...readRange(day), cursor, limit };
    const outcome = await orders.search(wanted);
    if (outcome.kind === "cursor_gone") throw new InvalidInputError([CURSOR_GONE]);
    return answerJson(`{"orders":[${outcome.orders.join()}],"cursor":${JSON.stringify(outcome.cursor ?? null)}}`);
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
