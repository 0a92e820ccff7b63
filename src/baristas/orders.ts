/**
 * Owns the baristas' routes of an order: start, finish, release, extend, cancel.
 * Always holds: an order is given to one barista at a time, and only to one who is there to take it.
 */
import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { answerChanged, answerClosing, answerJson } from "../http/answers.ts";
import type { FindServer } from "../http/app.ts";
import { documented } from "../http/documented.ts";
import { holdOpen } from "../http/hold.ts";
import { idempotencyKeyHeader, readIdempotencyKey, scopeKey } from "../http/idempotency.ts";
import { createQueryReader } from "../http/input.ts";
import { WaitSeconds } from "../http/prefer.ts";
import { BREWING_EXAMPLE, CANCELLED_EXAMPLE, CancelReason, Order, QUEUED_EXAMPLE } from "../orders/order.ts";
import type { ChangeOutcome } from "../orders/outcomes.ts";
import { DEFAULT_QUEUE, type Change } from "../orders/verbs.ts";
import { problem } from "../problem.ts";
import type { BaristaDependencies } from "./app.ts";

/** A barista who gives no name: who holds orders as it can be taken over by any other without a name. */
const ANONYMOUS = "anonymous";

const BaristaName = Type.String({
  minLength: 1,
  maxLength: 64,
  description: "1 to 64 characters",
  examples: ["Grace"],
});
export const QueueName = Type.String({
  pattern: "^[A-Za-z0-9_-]{1,64}$",
  description: "1 to 64 letters, digits, _ or -",
  examples: [DEFAULT_QUEUE],
});

const StartQuery = Type.Object({
  wait: Type.Optional(WaitSeconds),
  barista: Type.Optional(BaristaName),
  queue: Type.Optional(QueueName),
  order_id: Type.Optional(Type.String({ format: "uuid", description: "the order's UUID" })),
});

const ChangeQuery = Type.Object({
  order_id: Type.String({ format: "uuid", description: "the order's UUID" }),
  barista: Type.Optional(BaristaName),
});

const CancelQuery = Type.Object({ ...ChangeQuery.properties, reason: Type.Optional(CancelReason) });

/** A HEAD would take an order, and nobody would get to know which. */
function takesGetOnly(): Response {
  return problem("method_not_allowed", { headers: { Allow: "GET" } });
}

const REFUSALS = ["unauthorized", "order_unknown", "order_conflict", "invalid_input", "redis_away"] as const;

export function orderRoutes({ orders, room, tellHeld, isClosing }: BaristaDependencies, findServer: FindServer) {
  const readStart = createQueryReader(StartQuery);
  const readChange = createQueryReader(ChangeQuery);
  const readCancel = createQueryReader(CancelQuery);

  /** The route of a verb: what it takes, and what it answers. `done` completes "can't be …". */
  const change =
    (verb: (change: Change) => Promise<ChangeOutcome>, done: string) =>
    async ({ request }: { request: Request }): Promise<Response> => {
      const asked = readChange(request);
      if (asked instanceof Response) return asked;
      return answerChanged(await verb({ orderId: asked.order_id.toLowerCase(), barista: asked.barista }), done);
    };

  /** Customers held here need not wait for the bell. */
  const finish = async (wanted: Change): Promise<ChangeOutcome> => {
    const outcome = await orders.finish(wanted);
    if (outcome.kind === "changed") tellHeld(wanted.orderId, outcome.order);
    return outcome;
  };

  return new Elysia()
    .get(
      "/start/",
      async ({ request }) => {
        if (request.method === "HEAD") return takesGetOnly();
        if (isClosing()) return answerClosing();
        const asked = readStart(request);
        if (asked instanceof Response) return asked;
        const { wait = 0, barista = ANONYMOUS, queue = DEFAULT_QUEUE } = asked;
        const key = readIdempotencyKey(request.headers);
        if (key instanceof Response) return key;
        return await holdOpen({ server: findServer(), request }, async () => {
          const claim = key === undefined ? crypto.randomUUID() : scopeKey(key, `barista ${barista}`);
          const mayReturn = key !== undefined;
          const orderId = asked.order_id?.toLowerCase();
          const { signal } = request;
          const outcome = await room.start({ claim, barista, queue, orderId, seconds: wait, signal, mayReturn });
          if (outcome.kind === "started") return answerJson(outcome.order);
          if (outcome.kind !== "empty") return answerChanged(outcome, "started");
          return problem("queue_empty");
        });
      },
      documented({
        query: StartQuery,
        tag: "Orders",
        summary: "Start the oldest order",
        description:
          "The order whose lease ran out, else the oldest queued one; with `order_id` that one. With `wait` it is held up to N seconds for one. " +
          "The order is yours for LEASE_SECONDS: finish, extend or release it.",
        headers: [
          idempotencyKeyHeader({
            effect: "The same key again gets the same order, while it is brewing.",
            owner: "the barista",
          }),
        ],
        answers: { 200: { description: "The order to make.", schema: Order, example: BREWING_EXAMPLE } },
        problems: [...REFUSALS, "queue_empty", "closing"],
      }),
    )
    .post(
      "/finish/",
      change(finish, "finished"),
      documented({
        query: ChangeQuery,
        tag: "Orders",
        summary: "Finish an order",
        description:
          "Its customer gets their 200. Finishing again answers the same. Without `barista` it counts as whoever holds the order.",
        answers: { 200: { description: "The order is ready.", schema: Order } },
        problems: REFUSALS,
      }),
    )
    .post(
      "/release/",
      change(orders.release, "released"),
      documented({
        query: ChangeQuery,
        tag: "Orders",
        summary: "Put an order back to its place in the queue",
        answers: {
          200: {
            description: "The order is queued again.",
            schema: Order,
            example: { ...QUEUED_EXAMPLE, attempts: 1 },
          },
        },
        problems: REFUSALS,
      }),
    )
    .post(
      "/extend/",
      change(orders.extend, "extended"),
      documented({
        query: ChangeQuery,
        tag: "Orders",
        summary: "Still on it: a new lease",
        answers: {
          200: {
            description: "The order is yours for LEASE_SECONDS from now.",
            schema: Order,
            example: BREWING_EXAMPLE,
          },
        },
        problems: REFUSALS,
      }),
    )
    .post(
      "/cancel/",
      async ({ request }) => {
        const asked = readCancel(request);
        if (asked instanceof Response) return asked;
        const { order_id, barista, reason = "barista" } = asked;
        const orderId = order_id.toLowerCase();
        return answerChanged(await orders.cancel({ orderId, barista, canceller: "barista", reason }), "cancelled");
      },
      documented({
        query: CancelQuery,
        tag: "Orders",
        summary: "Cancel an order, with a reason",
        description: "While it is queued or brewing; without `reason` it is `barista`. Its customer is told.",
        answers: { 200: { description: "The order is cancelled.", schema: Order, example: CANCELLED_EXAMPLE } },
        problems: REFUSALS,
      }),
    );
}
