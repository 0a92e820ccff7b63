/**
 * Owns the baristas' routes of dead letters: which orders failed, and making them again.
 *
 * **Invariants**
 * - An order is made again by a new order, which names it. The old one never changes.
 * - The same order is made again once, however often it is asked for.
 */
import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { documented } from "../../http/documented.ts";
import { createQueryReader } from "../../http/input.ts";
import { answerJson } from "../../http/json.ts";
import type { ReadTraceparent } from "../../http/traceparent.ts";
import { wholeNumber } from "../../numeric.ts";
import type { Orders } from "../../orders/orders.ts";
import { CANCELLED_EXAMPLE, Order, QUEUED_EXAMPLE } from "../../orders/order.ts";
import type { RetryOutcome } from "../../orders/operations/retry.ts";
import { RetriedView, SearchPage } from "../../orders/views.ts";
import { InvalidInputError } from "../../problem.ts";
import { MAX_RETRIED, type Retrying } from "../../service/retrying.ts";
import { answerChanged } from "../answers.ts";
import { Cursor, OrderId, PAGE_LIMIT, PageLimit } from "../parameters.ts";
import { BaristaName, QueueName } from "./order-descriptions.ts";

const Reason = Type.Union([Type.Literal("machine_error"), Type.Literal("barista_timeout")], {
  description: "machine_error or barista_timeout",
});

const DeadQuery = Type.Object({
  queue: Type.Optional(QueueName),
  reason: Type.Optional(Reason),
  cursor: Type.Optional(Cursor),
  limit: Type.Optional(PageLimit),
});

const RetryQuery = Type.Object({
  order_id: Type.Optional(OrderId),
  queue: Type.Optional(QueueName),
  reason: Type.Optional(Reason),
  limit: Type.Optional(wholeNumber(1, MAX_RETRIED)),
  barista: Type.Optional(BaristaName),
});

export interface DeadDependencies {
  readonly orders: Pick<Orders, "dead">;
  readonly retrying: Retrying;
  readonly readTraceparent: ReadTraceparent;
}

export function deadRoutes(dependencies: DeadDependencies) {
  return new Elysia()
    .get("/dead", createListDead(dependencies), LIST_DEAD)
    .post("/retry/", createRetry(dependencies), RETRY_ORDERS);
}

function createListDead({ orders }: DeadDependencies) {
  const readDead = createQueryReader(DeadQuery);

  return async ({ request }: { request: Request }): Promise<Response> => {
    const { limit = PAGE_LIMIT, ...filter } = readDead(request);
    const outcome = await orders.dead({ ...filter, limit });
    if (outcome.kind === "cursor_gone") {
      const detail = "points at an order that is no longer listed: begin again without it";
      throw new InvalidInputError([{ field: "cursor", detail }]);
    }
    return answerJson(`{"orders":[${outcome.orders.join()}],"cursor":${JSON.stringify(outcome.cursor ?? null)}}`);
  };
}

function createRetry({ retrying, readTraceparent }: DeadDependencies) {
  const readRetry = createQueryReader(RetryQuery);

  return async ({ request }: { request: Request }): Promise<Response> => {
    const { order_id, queue, reason, limit = MAX_RETRIED, barista: retriedBy } = readRetry(request);
    const traceparent = readTraceparent(request.headers);
    if (order_id !== undefined) {
      if (queue !== undefined || reason !== undefined) {
        throw new InvalidInputError([{ field: "order_id", detail: "must be alone: leave out queue and reason" }]);
      }
      return answerRetried(await retrying.retry(order_id.toLowerCase(), retriedBy, traceparent));
    }
    if (queue === undefined && reason === undefined) {
      throw new InvalidInputError([{ field: "order_id", detail: "is missing: name an order, a queue or a reason" }]);
    }
    const { retried, isMore } = await retrying.retryAll({ queue, reason, limit, retriedBy, traceparent });
    return answerJson(`{"retried":[${retried.join()}],"left":${isMore}}`);
  };
}

function answerRetried(outcome: RetryOutcome): Response {
  if (outcome.kind !== "retried") return answerChanged(outcome, "made again");
  return answerJson(outcome.order, { status: 201, headers: { Location: `/order/${outcome.orderId}` } });
}

const LIST_DEAD = documented({
  query: DeadQuery,
  tag: "Dead letters",
  operationId: "listDead",
  summary: "Orders that failed",
  description:
    "Newest first: those that a barista or a machine could not make (`machine_error`), and those that none finished " +
    "(`barista_timeout`). Their customers were answered. The newest 10,000 are listed, as long as they are kept.",
  answers: {
    200: {
      description: "A page of orders.",
      schema: SearchPage,
      example: {
        orders: [{ ...CANCELLED_EXAMPLE, reason: "machine_error", error: "the grinder is jammed", attempts: 3 }],
        cursor: null,
      },
    },
  },
  problems: ["unauthorized", "invalid_input", "redis_away", "closing"],
});

const RETRY_ORDERS = documented({
  query: RetryQuery,
  tag: "Dead letters",
  operationId: "retryOrders",
  summary: "Make orders again that failed",
  description:
    "With `order_id` that one: 201 with a new order, which names it (`retry_of`); again, the same one. With `queue` or " +
    `\`reason\` the newest of those, at most ${MAX_RETRIED} a request; \`left\` says whether there are more.`,
  answers: {
    200: {
      description: "They are queued.",
      schema: RetriedView,
      example: { retried: [{ ...QUEUED_EXAMPLE, retry_of: CANCELLED_EXAMPLE.order_id }], left: false },
    },
    201: {
      description: "It is queued.",
      schema: Order,
      example: { ...QUEUED_EXAMPLE, retry_of: CANCELLED_EXAMPLE.order_id },
      headers: { Location: "where the new order is" },
    },
  },
  problems: ["unauthorized", "order_unknown", "order_conflict", "invalid_input", "redis_away"],
});
