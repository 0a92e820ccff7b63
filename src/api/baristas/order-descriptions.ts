/**
 * Owns what the baristas' routes of an order take and answer, for their readers and for the OpenAPI document.
 *
 * **Invariants**
 * - What a route checks is what its description says.
 */
import { Type } from "@sinclair/typebox";
import { QUEUE_NAME } from "../../formats.ts";
import { documented } from "../../http/documented.ts";
import { idempotencyKeyHeader } from "../../http/idempotency.ts";
import { BODY_PROBLEMS } from "../../http/input.ts";
import { WaitSeconds } from "../../http/prefer.ts";
import {
  BREWING_EXAMPLE,
  CANCELLED_EXAMPLE,
  CancelReason,
  Order,
  QUEUED_EXAMPLE,
  READY_EXAMPLE,
} from "../../orders/order.ts";
import { DEFAULT_QUEUE } from "../../orders/orders.ts";
import { FailureDraft, HandoverView, ProgressDraft, StartedOrder } from "../../orders/views.ts";
import { OrderId } from "../parameters.ts";

export const BaristaName = Type.String({
  minLength: 1,
  maxLength: 64,
  description: "1 to 64 characters",
  examples: ["Grace"],
});
export const QueueName = Type.String({
  pattern: QUEUE_NAME,
  description: "1 to 64 letters, digits, _ or -",
  examples: [DEFAULT_QUEUE],
});

const WithLink = Type.Literal("", { description: "empty, as in `?link`: with the order comes its finish link" });

export const StartQuery = Type.Object({
  wait: Type.Optional(WaitSeconds),
  barista: Type.Optional(BaristaName),
  queue: Type.Optional(QueueName),
  order_id: Type.Optional(OrderId),
  link: Type.Optional(WithLink),
});

export const ChangeQuery = Type.Object({
  order_id: OrderId,
  barista: Type.Optional(BaristaName),
});

export const CancelQuery = Type.Object({ ...ChangeQuery.properties, reason: Type.Optional(CancelReason) });

export const ReleaseQuery = Type.Object({
  ...ChangeQuery.properties,
  uncounted: Type.Optional(
    Type.Literal("", { description: "empty, as in `&uncounted`: this start does not count as an attempt" }),
  ),
});

export const FinishQuery = Type.Object({
  ...ChangeQuery.properties,
  next: Type.Optional(WaitSeconds),
  queue: Type.Optional(QueueName),
  link: Type.Optional(WithLink),
});

export const Result = Type.Unknown({
  description: "what came of the work: any JSON of at most 256 KB and 100 levels; what is no JSON is refused",
  examples: [{ cups: 2 }],
});

const REFUSALS = ["unauthorized", "order_unknown", "order_conflict", "invalid_input", "redis_away"] as const;

export const START_ORDER = documented({
  query: StartQuery,
  tag: "Orders",
  operationId: "startOrder",
  summary: "Start the oldest order",
  description:
    "The order whose lease ran out, else the oldest queued one; with `order_id` that one. With `wait` it is held up to N seconds for one. " +
    "The order is yours for LEASE_SECONDS: finish, extend or release it. With `link` come `finish_url` and `fail_url`, " +
    "by which their bearer can end it without a token: POST to either.",
  headers: [
    idempotencyKeyHeader({
      effect: "The same key again gets the same order, while it is brewing.",
      owner: "the barista",
    }),
  ],
  answers: { 200: { description: "The order to make.", schema: StartedOrder, example: BREWING_EXAMPLE } },
  problems: [...REFUSALS, "queue_empty", "closing"],
});

export const FINISH_ORDER = documented({
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
      schema: Type.Union([Order, HandoverView]),
      example: { finished: READY_EXAMPLE, started: BREWING_EXAMPLE },
    },
  },
  problems: [...REFUSALS, ...BODY_PROBLEMS],
});

export const FAIL_ORDER = documented({
  query: ChangeQuery,
  body: { schema: FailureDraft, required: true },
  tag: "Orders",
  operationId: "failOrder",
  summary: "Say that an order can't be made",
  description:
    "While it has attempts left (MAX_ATTEMPTS) it goes back into its queue, `queued`, and is given out again " +
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
});

export const PROGRESS_ORDER = documented({
  query: ChangeQuery,
  body: { schema: ProgressDraft, required: true },
  tag: "Orders",
  operationId: "progressOrder",
  summary: "Say how far an order is",
  description: "Its customer sees it in the order while it is brewing, and as the event `order.progressed`.",
  answers: {
    200: {
      description: "It is noted.",
      schema: Order,
      example: { ...BREWING_EXAMPLE, progress: { percent: 40, message: "milk is foaming" } },
    },
  },
  problems: [...REFUSALS, ...BODY_PROBLEMS],
});

export const RELEASE_ORDER = documented({
  query: ReleaseQuery,
  tag: "Orders",
  operationId: "releaseOrder",
  summary: "Put an order back into its queue",
  description:
    "With `uncounted` this start does not count as an attempt: what kept it from being made is no fault of it.",
  answers: {
    200: {
      description: "The order is queued again.",
      schema: Order,
      example: { ...QUEUED_EXAMPLE, attempts: 1 },
    },
  },
  problems: REFUSALS,
});

export const EXTEND_ORDER = documented({
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
});

export const CANCEL_ORDER = documented({
  query: CancelQuery,
  tag: "Orders",
  operationId: "cancelOrder",
  summary: "Cancel an order, with a reason",
  description: "While it is queued or brewing; without `reason` it is `barista`. Its customer is notified.",
  answers: { 200: { description: "The order is cancelled.", schema: Order, example: CANCELLED_EXAMPLE } },
  problems: REFUSALS,
});
