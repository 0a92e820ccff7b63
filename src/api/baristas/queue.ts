/**
 * Owns the baristas' views of one order, of its journey, and of the queue's length.
 *
 * **Invariants**
 * - A look changes nothing, and is bounded.
 */
import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import type { EventFeed } from "../../events/feed.ts";
import { answerJson } from "../../http/json.ts";
import { documented } from "../../http/documented.ts";
import { createQueryReader } from "../../http/input.ts";
import type { WaitLimit } from "../../limits/wait-limit.ts";
import { Order } from "../../orders/order.ts";
import { DEFAULT_QUEUE, type Orders } from "../../orders/orders.ts";
import { JourneyView, QueueView } from "../../orders/views.ts";
import { answerFound } from "../answers.ts";
import { timeOf } from "../order-time.ts";
import { OrderParams, readOrderId, type PathContext } from "../parameters.ts";
import { QueueName } from "./order-descriptions.ts";

const QueueQuery = Type.Object({ queue: Type.Optional(QueueName) });

/** How far apart the clocks of this server and of Redis may be. */
const SLACK_MS = 2000;

export interface QueueDependencies {
  readonly orders: Pick<Orders, "find" | "measure">;
  readonly feed: Pick<EventFeed, "readJourney">;
  /** The wait limit of the customers whom this server holds. */
  readonly waitLimit: Pick<WaitLimit, "waiting">;
  /** How long a started order of a queue stays with its barista. */
  readonly leaseSecondsOf: (queue: string) => number;
}

export function queueRoutes(dependencies: QueueDependencies) {
  return new Elysia()
    .get("/order/:id", createFindOrder(dependencies), FIND_ORDER)
    .get("/order/:id/journey", createFindJourney(dependencies), FIND_JOURNEY)
    .get("/queue", createMeasureQueue(dependencies), MEASURE_QUEUE);
}

function createFindOrder({ orders }: QueueDependencies) {
  return async ({ params }: PathContext): Promise<Response> => answerFound(await orders.find(readOrderId(params)));
}

function createFindJourney({ orders, feed }: QueueDependencies) {
  return async ({ params }: PathContext): Promise<Response> => {
    const orderId = readOrderId(params);
    const found = await orders.find(orderId);
    if (found.kind !== "found") return answerFound(found);
    const { placed_at, finished_at } = JSON.parse(found.order) as Order;
    const { events, isWhole } = await feed.readJourney({
      orderId,
      // A reservation is older than what was placed with it.
      fromMs: Math.min(Date.parse(placed_at), timeOf(orderId)?.getTime() ?? Infinity) - SLACK_MS,
      finishedMs: finished_at === undefined ? undefined : Date.parse(finished_at),
    });
    return answerJson(`{"order":${found.order},"events":[${events.join()}],"is_whole":${isWhole}}`);
  };
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

const FIND_ORDER = documented({
  params: OrderParams,
  tag: "Search",
  operationId: "findOrder",
  summary: "Look at an order",
  answers: { 200: { description: "The order as it is now.", schema: Order } },
  problems: ["unauthorized", "order_unknown", "invalid_input", "redis_away"],
});

const FIND_JOURNEY = documented({
  params: OrderParams,
  tag: "Search",
  operationId: "findJourney",
  summary: "What has happened to an order",
  description:
    "The order as it is now, and its events and those of its payment, oldest first. `is_whole` is false where some may be missing: " +
    "events are kept for a while, and of a busy shop a bounded number is looked at.",
  answers: { 200: { description: "Its journey.", schema: JourneyView } },
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
