/**
 * Owns what the baristas' port takes and answers of orders, beside the order itself. Pages take their types from here.
 *
 * **Invariants**
 * - What routes check and answer is what these schemas say.
 */
import { Type, type Static } from "@sinclair/typebox";
import { FROM_1_TO_500_CHARACTERS } from "../formats.ts";
import { Order } from "./order.ts";
import { DEFAULT_QUEUE } from "./orders.ts";

/** A day. */
const MAX_RETRY_AFTER_SECONDS = 86_400;

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

/** The answer of a finish with `next`. */
export const HandoverView = Type.Object(
  { finished: Order, started: Type.Union([Order, Type.Null()], { description: "null: none came" }) },
  { $id: "Handover", additionalProperties: false },
);
export type HandoverView = Static<typeof HandoverView>;

/** The answer of a search. */
export const SearchPage = Type.Object(
  {
    orders: Type.Array(Order),
    cursor: Type.Union([Type.String(), Type.Null()], { description: "goes on after this page; null on the last one" }),
  },
  { $id: "OrderPage" },
);
export type SearchPage = Static<typeof SearchPage>;

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
  },
  {
    $id: "Queue",
    examples: [{ queue: DEFAULT_QUEUE, depth: 12, brewing: 4, oldest_waiting_seconds: 71.2, held: 16, damaged: 0 }],
  },
);
export type QueueView = Static<typeof QueueView>;
