/**
 * Owns what the baristas' port takes and answers of orders, beside the order itself. Pages take their types from here.
 *
 * **Invariants**
 * - What routes check and answer is what these schemas say.
 */
import { Type, type Static } from "@sinclair/typebox";
import { AT_MOST_200_CHARACTERS, DATE_TIME, FROM_1_TO_500_CHARACTERS } from "../formats.ts";
import { DEFAULT_QUEUE } from "../queue-settings.ts";
import { Order, READY_EXAMPLE } from "./order.ts";
import { MAX_RETRY_AFTER_SECONDS } from "./status.ts";

/** The body of a fail: why an order can't be made, and whether and when to try it again. */
export const FailureDraft = Type.Object(
  {
    error: Type.String({ format: FROM_1_TO_500_CHARACTERS, description: "why, in 1 to 500 characters" }),
    retry_after_seconds: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: MAX_RETRY_AFTER_SECONDS,
        description: `a whole number of seconds from 0 to ${MAX_RETRY_AFTER_SECONDS}`,
        examples: [60],
      }),
    ),
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
export type FailureDraft = Static<typeof FailureDraft>;

/** The body of a progress: how far an order is. */
export const ProgressDraft = Type.Object(
  {
    percent: Type.Optional(Type.Number({ minimum: 0, maximum: 100, description: "a number from 0 to 100" })),
    message: Type.Optional(Type.String({ format: AT_MOST_200_CHARACTERS, description: "at most 200 characters" })),
  },
  {
    $id: "Progress",
    additionalProperties: false,
    minProperties: 1,
    description: "an object with `percent`, `message` or both",
    examples: [{ percent: 40, message: "milk is foaming" }],
  },
);
export type ProgressDraft = Static<typeof ProgressDraft>;

/** What comes with an order that was started with its link. */
const FinishLink = Type.Object(
  {
    finish_url: Type.Optional(Type.String({ description: "POST the result there to finish the order" })),
    fail_url: Type.Optional(Type.String({ description: "POST the error there to fail it" })),
  },
  { $id: "FinishLink" },
);

/** An order as its barista gets it. */
export const StartedOrder = Type.Intersect([Order, FinishLink]);

/** The answer of a finish with `next`. */
export const HandoverView = Type.Object(
  { finished: Order, started: Type.Union([StartedOrder, Type.Null()], { description: "null: none came" }) },
  { $id: "Handover", additionalProperties: false },
);
export type HandoverView = Static<typeof HandoverView>;

/** Of an answer that is a page. */
export const NextCursor = Type.Union([Type.String(), Type.Null()], {
  description: "goes on after this page; null on the last one",
});

/** The answer of a search. */
export const SearchPage = Type.Object(
  {
    orders: Type.Array(Order),
    cursor: NextCursor,
  },
  { $id: "OrderPage" },
);
export type SearchPage = Static<typeof SearchPage>;

/** The answer where orders that failed are made again. */
export const RetriedView = Type.Object(
  {
    retried: Type.Array(Order, { description: "the new orders; `retry_of` names the old ones" }),
    left: Type.Boolean({ description: "whether there are more to make again" }),
  },
  { $id: "Retried" },
);
export type RetriedView = Static<typeof RetriedView>;

/** A queue, measured. */
export const QueueView = Type.Object(
  {
    queue: Type.String(),
    depth: Type.Integer({ description: "orders queued" }),
    brewing: Type.Integer({ description: "orders started and not finished" }),
    oldest_waiting_seconds: Type.Union([Type.Number(), Type.Null()], {
      description: "age of the oldest queued order; null: none",
    }),
    held: Type.Integer({ description: "customers whom this replica holds" }),
    damaged: Type.Integer({ description: "orders of all queues that are set aside as damaged: GET /damaged" }),
    lease_seconds: Type.Integer({ description: "how long a started order stays with its barista" }),
  },
  {
    $id: "Queue",
    examples: [
      {
        queue: DEFAULT_QUEUE,
        depth: 12,
        brewing: 4,
        oldest_waiting_seconds: 71.2,
        held: 16,
        damaged: 0,
        lease_seconds: 900,
      },
    ],
  },
);
export type QueueView = Static<typeof QueueView>;

const Count = Type.Integer({ minimum: 0 });

/** The open orders of a queue by state, and what happened a moment ago. */
export const StatesView = Type.Object(
  {
    queue: Type.String(),
    open: Type.Object(
      { reserved: Count, unpaid: Count, scheduled: Count, queued: Count, brewing: Count },
      { additionalProperties: false, description: "orders in each open state" },
    ),
    span_seconds: Type.Number({ minimum: 0, description: "how far back `events` reaches: 60, in a rush less" }),
    events: Type.Record(Type.String(), Count, { description: "events of its orders since then, by type" }),
    queues: Type.Array(Type.String(), { description: "all queues: the counter, and those of machines" }),
  },
  {
    $id: "States",
    additionalProperties: false,
    examples: [
      {
        queue: DEFAULT_QUEUE,
        open: { reserved: 1, unpaid: 0, scheduled: 2, queued: 12, brewing: 4 },
        span_seconds: 60,
        events: { "order.placed": 14, "order.started": 11, "order.finished": 10, "order.cancelled": 1 },
        queues: [DEFAULT_QUEUE, "compute"],
      },
    ],
  },
);
export type StatesView = Static<typeof StatesView>;

const JourneyEvent = Type.Object(
  {
    specversion: Type.Literal("1.0"),
    id: Type.String({ description: "its id on `/events`" }),
    source: Type.String(),
    type: Type.String(),
    subject: Type.Optional(Type.String()),
    time: Type.String({ format: DATE_TIME }),
    datacontenttype: Type.Literal("application/json"),
    data: Type.Object({}, { additionalProperties: true, description: "the order as it was then" }),
  },
  { description: "a CloudEvent, as on `/events`" },
);

/** What has happened to an order. */
export const JourneyView = Type.Object(
  {
    order: Order,
    events: Type.Array(JourneyEvent, { description: "oldest first" }),
    is_whole: Type.Boolean({ description: "false: some may be missing" }),
  },
  {
    $id: "Journey",
    additionalProperties: false,
    examples: [
      {
        order: READY_EXAMPLE,
        events: [
          {
            specversion: "1.0",
            id: "1795858312871-4711",
            source: "/shops/main",
            type: "order.finished",
            subject: READY_EXAMPLE.order_id,
            time: READY_EXAMPLE.finished_at,
            datacontenttype: "application/json",
            data: READY_EXAMPLE,
          },
        ],
        is_whole: true,
      },
    ],
  },
);
export type JourneyView = Static<typeof JourneyView>;
