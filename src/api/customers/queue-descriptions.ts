/**
 * Owns what the routes of queues of machines take and answer, for their readers and for the OpenAPI document.
 *
 * **Invariants**
 * - What a route checks is what its description says.
 */
import { Type } from "@sinclair/typebox";
import { DATE_TIME, QUEUE_NAME } from "../../formats.ts";
import { documented } from "../../http/documented.ts";
import { idempotencyKeyHeader } from "../../http/idempotency.ts";
import { BODY_PROBLEMS } from "../../http/input.ts";
import { CallbackUrl, NotBefore, Order } from "../../orders/order.ts";
import type { QueueContract } from "../../service/call-queue.ts";
import { Continuation } from "./endings.ts";
import { ADDRESS_OWNER, LIMIT_HEADERS, ORDERING_PROBLEMS, PREFER, REDIRECTED } from "./order-descriptions.ts";

export const CallParams = Type.Object({
  queue: Type.String({ pattern: QUEUE_NAME, description: "1 to 64 letters, digits, _ or -" }),
});
export const CallQuery = Type.Object({
  not_before: Type.Optional(NotBefore),
  callback_url: Type.Optional(CallbackUrl),
});

const Input = Type.Unknown({
  description: "what machines make it of: any JSON of at most 256 KB and 100 levels",
  examples: [{ add_up_to: 10 }],
});

const CALL_EXAMPLE = {
  order_id: "01938a5e-7c1b-7f3e-9a52-6f1d2c3b4a60",
  number: 3,
  queue: "work",
  placed_at: "2026-11-20T09:30:00.120Z",
  status: "ready",
  attempts: 1,
  barista: "machine-1",
  started_at: "2026-11-20T09:30:00.124Z",
  finished_at: "2026-11-20T09:30:00.131Z",
  input: { add_up_to: 10 },
  result: 55,
};
const QUEUED_CALL_EXAMPLE = {
  order_id: CALL_EXAMPLE.order_id,
  number: 3,
  queue: "work",
  placed_at: CALL_EXAMPLE.placed_at,
  status: "queued",
  attempts: 0,
  input: { add_up_to: 10 },
  position: 1,
};

const describe = (operationId: string, summary: string, body: Parameters<typeof documented>[0]["body"]) =>
  ({
    query: CallQuery,
    tag: "Machines",
    operationId,
    summary,
    description:
      "Held until the order is final, for ever: 200 with the order. `result` is what the machine answered; a cancelled " +
      "order says why in `error`. With `not_before` it is queued at that time. " +
      "The final order is posted to `callback_url`, too.",
    headers: [
      PREFER,
      idempotencyKeyHeader({
        effect: "The same key with the same body joins the order first placed under it.",
        owner: ADDRESS_OWNER,
      }),
    ],
    ...(body ? { body } : undefined),
    problems: [
      "cross_site",
      ...BODY_PROBLEMS,
      "idempotency_mismatch",
      "order_damaged",
      "order_unknown",
      "queue_unknown",
      "queue_full",
      ...ORDERING_PROBLEMS,
    ],
  }) as const;

const answersWith = (schema: Parameters<typeof Type.Union>[0][number], example: unknown) => ({
  200: { description: "The order is final.", schema, example, headers: LIMIT_HEADERS },
  202: {
    description: "The order is scheduled, queued or brewing; look at Location.",
    schema: Order,
    example: QUEUED_CALL_EXAMPLE,
    headers: { ...LIMIT_HEADERS, Location: "where the order is", "Preference-Applied": "the preference obeyed" },
  },
  303: REDIRECTED,
});

export const CALL_QUEUE = documented({
  ...describe("callQueue", "Have machines make something of any JSON, and wait for it", {
    schema: Input,
    required: true,
  }),
  params: CallParams,
  answers: answersWith(Type.Union([Order, Continuation]), CALL_EXAMPLE),
});

/** The route of one machine's queue: its own input and output. */
export function describeCall(queue: string, { input, output }: QueueContract) {
  const Answer = Type.Composite([Type.Omit(Order, ["result"]), Type.Object({ result: Type.Optional(output) })]);
  return documented({
    ...describe(`call_${queue}`, `Call ${queue}, and wait for its result`, { schema: input, required: true }),
    answers: answersWith(Type.Union([Answer, Continuation]), {
      ...CALL_EXAMPLE,
      queue,
      input: undefined,
      result: undefined,
    }),
  });
}

const QueueList = Type.Object(
  {
    queues: Type.Array(
      Type.Object({
        queue: Type.String(),
        depth: Type.Integer({ description: "orders queued" }),
        scheduled: Type.Integer({ description: "orders that are to be queued later" }),
        brewing: Type.Integer({ description: "orders started and not finished" }),
        oldest_waiting_seconds: Type.Union([Type.Number(), Type.Null()], {
          description: "age of the oldest queued order; null: none",
        }),
        workers: Type.Array(
          Type.Object({
            name: Type.String(),
            seen_at: Type.String({ format: DATE_TIME, description: "when it last asked for an order" }),
          }),
          { description: "machines and workers that asked for an order within the last hour; at most 100" },
        ),
      }),
    ),
  },
  { $id: "QueueList" },
);

export const LIST_QUEUES = documented({
  tag: "Machines",
  operationId: "listQueues",
  summary: "The queues of machines",
  answers: {
    200: {
      description: "Each queue now.",
      schema: QueueList,
      example: {
        queues: [
          {
            queue: "work",
            depth: 4,
            scheduled: 0,
            brewing: 2,
            oldest_waiting_seconds: 0.4,
            workers: [{ name: "machine-1", seen_at: "2026-11-20T09:30:00.131Z" }],
          },
        ],
      },
    },
  },
  problems: ["redis_away", "closing"],
});
