/**
 * Owns the baristas' views: search, one order, the queue's length.
 *
 * **Invariants**
 * - A page is bounded, and a search changes nothing.
 */
import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { DATE, DATE_TIME } from "../../formats.ts";
import { answerFound, answerJson } from "../../http/answers.ts";
import { documented } from "../../http/documented.ts";
import { createQueryReader } from "../../http/input.ts";
import { Order, READY_EXAMPLE, Status } from "../../orders/order.ts";
import { DEFAULT_QUEUE, type Orders } from "../../orders/verbs.ts";
import { invalidInput } from "../../problem.ts";
import { QueueName } from "./orders.ts";

const DAY_MS = 86_400_000;

const OrderParams = Type.Object({ id: Type.String({ format: "uuid", description: "the order's UUID" }) });

const SearchQuery = Type.Object({
  status: Type.Optional(Status),
  customer_id: Type.Optional(Type.String({ minLength: 1, maxLength: 64, description: "1 to 64 characters" })),
  date: Type.Optional(Type.String({ format: DATE, description: "a day (UTC) such as 2026-11-20" })),
  from: Type.Optional(Type.String({ format: DATE_TIME, description: "a time such as 2026-11-20T09:00:00Z" })),
  to: Type.Optional(Type.String({ format: DATE_TIME, description: "a time such as 2026-11-20T17:00:00Z" })),
  cursor: Type.Optional(Type.String({ format: "uuid", description: "the `cursor` of the page before" })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, description: "a whole number from 1 to 200" })),
});

const QueueQuery = Type.Object({ queue: Type.Optional(QueueName) });

const SearchPage = Type.Object(
  {
    orders: Type.Array(Order),
    cursor: Type.Union([Type.String(), Type.Null()], { description: "goes on after this page; null on the last one" }),
  },
  { $id: "OrderPage" },
);

const QueueView = Type.Object(
  {
    queue: Type.String(),
    depth: Type.Integer({ description: "orders queued" }),
    brewing: Type.Integer({ description: "orders started and not finished" }),
    oldest_waiting_seconds: Type.Union([Type.Number(), Type.Null()], {
      description: "age of the oldest queued order; null: none",
    }),
    held: Type.Integer({ description: "customers whom this replica holds" }),
    damaged: Type.Integer({ description: "orders of all queues that are set aside as damaged: GET /damaged" }),
  },
  {
    $id: "Queue",
    examples: [{ queue: DEFAULT_QUEUE, depth: 12, brewing: 4, oldest_waiting_seconds: 71.2, held: 16, damaged: 0 }],
  },
);

export interface QueueDependencies {
  readonly orders: Pick<Orders, "find" | "search" | "measure">;
  /** How many customers this server holds. */
  readonly countHeld: () => number;
}

export function queueRoutes({ orders, countHeld }: QueueDependencies) {
  const readSearch = createQueryReader(SearchQuery);
  const readQueue = createQueryReader(QueueQuery);

  return new Elysia()
    .get(
      "/order/",
      async ({ request }) => {
        const asked = readSearch(request);
        const { status, customer_id, date, from, to, limit = 50 } = asked;
        const outcome = await orders.search({
          status,
          customerId: customer_id,
          ...readRange(date, from, to),
          cursor: asked.cursor,
          limit,
        });
        if (outcome.kind === "cursor_gone") {
          return invalidInput([
            { field: "cursor", detail: "points at an order that is no longer kept: search again without it" },
          ]);
        }
        const cursor = JSON.stringify(outcome.cursor ?? null);
        return answerJson(`{"orders":[${outcome.orders.join()}],"cursor":${cursor}}`);
      },
      documented({
        query: SearchQuery,
        tag: "Search",
        operationId: "searchOrders",
        summary: "Search orders",
        description:
          "By the time they were placed, oldest first. Without `date`, `from` or `to`: today's (UTC). `from` is included, `to` is not.",
        answers: {
          200: {
            description: "A page of orders.",
            schema: SearchPage,
            example: { orders: [READY_EXAMPLE], cursor: null },
          },
        },
        problems: ["unauthorized", "invalid_input", "redis_away", "closing"],
      }),
    )
    .get("/order/:id", async ({ params: { id } }) => answerFound(await orders.find(id.toLowerCase())), {
      params: OrderParams,
      ...documented({
        params: OrderParams,
        tag: "Search",
        operationId: "findOrder",
        summary: "Look at an order",
        answers: { 200: { description: "The order as it is now.", schema: Order } },
        problems: ["unauthorized", "order_unknown", "invalid_input", "redis_away"],
      }),
    })
    .get(
      "/queue",
      async ({ request }) => {
        const asked = readQueue(request);
        const { queue = DEFAULT_QUEUE } = asked;
        const { depth, brewing, oldestWaitingSeconds, damaged } = await orders.measure(queue);
        const view = {
          queue,
          depth,
          brewing,
          oldest_waiting_seconds: oldestWaitingSeconds,
          held: countHeld(),
          damaged,
        };
        return answerJson(JSON.stringify(view));
      },
      documented({
        query: QueueQuery,
        tag: "Search",
        operationId: "measureQueue",
        summary: "How long is the queue?",
        answers: { 200: { description: "The queue now.", schema: QueueView } },
        problems: ["unauthorized", "invalid_input", "redis_away"],
      }),
    );
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
