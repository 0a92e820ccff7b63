/**
 * Owns the baristas' routes of an order: start, finish, fail, release, extend, cancel.
 *
 * **Invariants**
 * - An order is given to one barista at a time.
 * - An order goes back if its barista has hung up and has no claim to fetch it with.
 */
import { Type, type Static } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { answerChanged, answerClosing, answerJson } from "../../http/answers.ts";
import { documented } from "../../http/documented.ts";
import { idempotencyKeyHeader, readIdempotencyKey, scopeKey } from "../../http/idempotency.ts";
import { createBodyReader, createQueryReader, hasNoBody, readResult } from "../../http/input.ts";
import { FROM_1_TO_500_CHARACTERS } from "../../formats.ts";
import { WaitSeconds } from "../../http/prefer.ts";
import type { BaristaRoom } from "../../longpoll/baristas.ts";
import {
  BREWING_EXAMPLE,
  CANCELLED_EXAMPLE,
  CancelReason,
  Order,
  QUEUED_EXAMPLE,
  READY_EXAMPLE,
  type OrderJson,
} from "../../orders/order.ts";
import type { StartOutcome } from "../../orders/operations/start.ts";
import type { Change, ChangeOutcome } from "../../orders/outcomes.ts";
import { DEFAULT_QUEUE, type Orders } from "../../orders/verbs.ts";
import { invalidInput, problem } from "../../problem.ts";

/** A barista without a name. Any other barista without a name can take over such orders. */
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

const FinishQuery = Type.Object({
  ...ChangeQuery.properties,
  next: Type.Optional(WaitSeconds),
  queue: Type.Optional(QueueName),
});

/** The answer of a finish with `next`. */
const Handover = Type.Object(
  { finished: Order, started: Type.Union([Order, Type.Null()], { description: "null: none came" }) },
  { $id: "Handover", additionalProperties: false },
);

const Failure = Type.Object(
  {
    error: Type.String({ format: FROM_1_TO_500_CHARACTERS, description: "why, in 1 to 500 characters" }),
    retry_after_seconds: Type.Optional(WaitSeconds),
    retry: Type.Optional(
      Type.Boolean({ description: "true or false: whether to try it again while attempts are left" }),
    ),
  },
  {
    $id: "Failure",
    additionalProperties: false,
    description: "an object with `error`",
    examples: [{ error: "the grinder is jammed", retry_after_seconds: 60 }],
  },
);

const Result = Type.Unknown({
  description: "what came of the work: any JSON of at most 256 KB and 100 levels; what is no JSON is refused",
  examples: [{ cups: 2 }],
});

const BODY_PROBLEMS = ["malformed_json", "body_too_large", "not_json"] as const;

/** A HEAD would take an order, and its answer could not say which. */
function takesGetOnly(): Response {
  return problem("method_not_allowed", { headers: { Allow: "GET" } });
}

/** The claim that an Idempotency-Key makes for that barista. */
function claimOf(key: string | undefined, barista = ANONYMOUS): string | undefined {
  return key === undefined ? undefined : scopeKey(key, `barista ${barista}`);
}

function answerStart(outcome: StartOutcome): Response {
  if (outcome.kind === "started") return answerJson(outcome.order);
  return outcome.kind === "empty" ? problem("queue_empty") : answerChanged(outcome, "started");
}

function answerFinished(outcome: ChangeOutcome): Response {
  return answerChanged(outcome, "finished");
}

/** A finish that is refused is answered as without a start. */
function answerHandover({ finished, started }: { finished: ChangeOutcome; started: StartOutcome }): Response {
  if (finished.kind !== "changed") return answerFinished(finished);
  const next: OrderJson = started.kind === "started" ? started.order : "null";
  return answerJson(`{"finished":${finished.order},"started":${next}}`);
}

const REFUSALS = ["unauthorized", "order_unknown", "order_conflict", "invalid_input", "redis_away"] as const;

export interface OrderDependencies {
  readonly orders: Orders;
  readonly room: BaristaRoom;
  /** Whether the server is stopping: nothing new begins. */
  readonly isClosing: () => boolean;
}

export function orderRoutes({ orders, room, isClosing }: OrderDependencies) {
  const readStart = createQueryReader(StartQuery);
  const readChange = createQueryReader(ChangeQuery);
  const readFinish = createQueryReader(FinishQuery);
  const readFailure = createBodyReader(Failure, { isFromCurl: true });
  const readCancel = createQueryReader(CancelQuery);

  /** The route of a verb: what it takes, and what it answers. `done` completes "can't be …". */
  const change =
    (verb: (change: Change) => Promise<ChangeOutcome>, done: string) =>
    async ({ request }: { request: Request }): Promise<Response> => {
      const asked = readChange(request);
      return answerChanged(await verb({ orderId: asked.order_id.toLowerCase(), barista: asked.barista }), done);
    };

  const finish = (
    request: Request,
    { order_id, barista, queue = DEFAULT_QUEUE, next }: Static<typeof FinishQuery>,
    key: string | undefined,
    result?: string,
  ): Promise<Response> => {
    const wanted = { orderId: order_id.toLowerCase(), barista, result };
    if (next === undefined) return orders.finish.into(wanted, answerFinished);
    const claim = claimOf(key, barista);
    const wait = { claim, barista: barista ?? ANONYMOUS, queue, seconds: next, signal: request.signal };
    return room.finishAndStart(wanted, wait, answerHandover);
  };

  return new Elysia()
    .get(
      "/start/",
      // No async functions here: each would be a promise more. Elysia waits for them, as a call stands behind a return.
      ({ request }) => {
        if (request.method === "HEAD") return takesGetOnly();
        if (isClosing()) return answerClosing();
        const asked = readStart(request);
        const { wait = 0, barista = ANONYMOUS, queue = DEFAULT_QUEUE } = asked;
        const key = readIdempotencyKey(request.headers);
        const claim = claimOf(key, barista);
        const orderId = asked.order_id?.toLowerCase();
        const { signal } = request;
        return room.start({ claim, barista, queue, orderId, seconds: wait, signal }, answerStart);
      },
      documented({
        query: StartQuery,
        tag: "Orders",
        operationId: "startOrder",
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
      ({ request }) => {
        const asked = readFinish(request);
        const key = readIdempotencyKey(request.headers);
        if (hasNoBody(request)) return finish(request, asked, key);
        return readResult(request).then((result) => finish(request, asked, key, result));
      },
      documented({
        query: FinishQuery,
        headers: [
          idempotencyKeyHeader({
            effect: "With `next`: the same key again gets the same order as `started`, while it is brewing.",
            owner: "the barista",
          }),
        ],
        body: { schema: Result, required: false },
        tag: "Orders",
        operationId: "finishOrder",
        summary: "Finish an order",
        description:
          "Its customer gets their 200, with the body as `result`. Finishing again answers the same, with the first result. " +
          "Without `barista` it counts as the one who holds the order. With `next` the next order is started in the same step, " +
          'and held for up to N seconds: `{"finished":…,"started":…}`. A finish that is refused starts nothing.',
        answers: {
          200: {
            description: "The order is ready; with `next`, and the next one started.",
            schema: Type.Union([Order, Handover]),
            example: { finished: READY_EXAMPLE, started: BREWING_EXAMPLE },
          },
        },
        problems: [...REFUSALS, ...BODY_PROBLEMS],
      }),
    )
    .post(
      "/fail/",
      async ({ request }) => {
        const asked = readChange(request);
        const failure = await readFailure(request);
        if (!failure) return invalidInput([{ field: "body", detail: `is missing: it must be ${Failure.description}` }]);
        const { error, retry = true, retry_after_seconds = 0 } = failure;
        const wanted = { orderId: asked.order_id.toLowerCase(), barista: asked.barista };
        const outcome = await orders.fail({ ...wanted, error, retry, retryAfterMs: retry_after_seconds * 1000 });
        return answerChanged(outcome, "said to have failed");
      },
      documented({
        query: ChangeQuery,
        body: { schema: Failure, required: true },
        tag: "Orders",
        operationId: "failOrder",
        summary: "Say that an order can't be made",
        description:
          "While it has attempts left (MAX_ATTEMPTS) it goes back to its place in the queue, `queued`, and is given out again " +
          'after `retry_after_seconds`. Without attempts, or with `"retry": false`, it is cancelled: `machine_error`. ' +
          "`error` is shown with the order.",
        answers: {
          200: {
            description: "The order is queued again, or cancelled: `status` says which.",
            schema: Order,
            example: { ...QUEUED_EXAMPLE, attempts: 1, error: "the grinder is jammed" },
          },
        },
        problems: [...REFUSALS, ...BODY_PROBLEMS],
      }),
    )
    .post(
      "/release/",
      change(orders.release, "released"),
      documented({
        query: ChangeQuery,
        tag: "Orders",
        operationId: "releaseOrder",
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
        operationId: "extendOrder",
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
        const { order_id, barista, reason = "barista" } = asked;
        const orderId = order_id.toLowerCase();
        return answerChanged(await orders.cancel({ orderId, barista, canceller: "barista", reason }), "cancelled");
      },
      documented({
        query: CancelQuery,
        tag: "Orders",
        operationId: "cancelOrder",
        summary: "Cancel an order, with a reason",
        description: "While it is queued or brewing; without `reason` it is `barista`. Its customer is notified.",
        answers: { 200: { description: "The order is cancelled.", schema: Order, example: CANCELLED_EXAMPLE } },
        problems: REFUSALS,
      }),
    );
}
