/**
 * Owns what the customers' routes of an order take and answer, for their readers and for the OpenAPI document.
 *
 * **Invariants**
 * - What a route checks is what its description says.
 */
import { Type } from "@sinclair/typebox";
import { documented } from "../../http/documented.ts";
import { idempotencyKeyHeader } from "../../http/idempotency.ts";
import { BODY_PROBLEMS } from "../../http/input.ts";
import { WaitSeconds } from "../../http/prefer.ts";
import { CANCELLED_EXAMPLE, Draft, Order, QUEUED_EXAMPLE, READY_EXAMPLE } from "../../orders/order.ts";
import { OrderParams } from "../parameters.ts";
import { Continuation } from "./endings.ts";
import { SHOP_PROBLEMS } from "../refusals.ts";

export const WaitQuery = Type.Object({
  wait: Type.Optional(
    Type.Union([WaitSeconds, Type.Literal("")], {
      description: `${WaitSeconds.description}, or empty: as long as it takes`,
    }),
  ),
});

export const Cancellation = Type.Object(
  { status: Type.Literal("cancelled", { description: '"cancelled"' }) },
  {
    $id: "Cancellation",
    additionalProperties: false,
    description: 'the object {"status":"cancelled"}',
    examples: [{ status: "cancelled" }],
  },
);

/** The owner of an Idempotency-Key, which does not count alone: where no order says whose it is, and where it may. */
export const ADDRESS_OWNER = "the address block, /24 or /48";
export const KEY_OWNER = `the customer_id (else ${ADDRESS_OWNER})`;

export const PREFER = {
  name: "Prefer",
  description:
    "`respond-async`: answer 202 at once. `wait=N`: answer 202 if it is not final after N seconds (RFC 7240).",
};

const PREFER_OF_A_LOOK = {
  name: "Prefer",
  description: "`wait=N`: the same as `?wait=N`, which counts where both are there (RFC 7240).",
};

const IDEMPOTENCY_KEY = idempotencyKeyHeader({
  effect: "The same key with the same body joins the order first placed under it.",
  owner: KEY_OWNER,
});

/** The end of a held answer. */
const OrderOrContinuation = Type.Union([Order, Continuation], { examples: [READY_EXAMPLE] });

/** What each route that queues an order may answer beside what its input brings. */
export const ORDERING_PROBLEMS = ["too_many_orders", "too_many_held", "room_full", "redis_away", "closing"] as const;

/** The answer of a held request whose server stops. */
export const REDIRECTED = {
  description: "The server is stopping: Location holds on.",
  headers: { Location: "/order/…?wait" },
};

export const LIMIT_HEADERS = {
  RateLimit: "orders left for this address",
  "RateLimit-Policy": "how many, and how they come back",
};

export const PLACE_ORDER = documented({
  tag: "Orders",
  operationId: "placeOrder",
  summary: "Order, and wait for the coffee",
  description:
    "Held until the order is final, for ever: 200 with the order, also when it was cancelled (`status` says so). " +
    "The body is optional: without one it is an americano. To finish it, use the baristas' port.",
  headers: [PREFER, IDEMPOTENCY_KEY],
  body: { schema: Draft, required: false },
  answers: {
    200: { description: "The order is final.", schema: OrderOrContinuation, headers: LIMIT_HEADERS },
    202: {
      description: "The order is queued or brewing; look at Location.",
      schema: Order,
      example: QUEUED_EXAMPLE,
      headers: {
        ...LIMIT_HEADERS,
        Location: "where the order is",
        "Preference-Applied": "the preference obeyed",
      },
    },
    303: REDIRECTED,
  },
  problems: [
    "cross_site",
    ...BODY_PROBLEMS,
    "idempotency_mismatch",
    "order_damaged",
    "code_required",
    "order_unknown",
    ...SHOP_PROBLEMS,
    ...ORDERING_PROBLEMS,
  ],
});

export const FIND_ORDER = documented({
  params: OrderParams,
  query: WaitQuery,
  tag: "Orders",
  operationId: "findOrder",
  summary: "Look at an order, or wait for it",
  description:
    "With `wait` (or `Prefer: wait=N`) it is held until the order is final, N seconds at most; `?wait` alone: for ever.",
  headers: [PREFER_OF_A_LOOK],
  answers: {
    200: { description: "The order as it is now.", schema: OrderOrContinuation },
    303: REDIRECTED,
  },
  problems: ["order_unknown", "invalid_input", "too_many_held", "room_full", "redis_away"],
});

export const CANCEL_ORDER = documented({
  params: OrderParams,
  tag: "Orders",
  operationId: "cancelOrder",
  summary: "Cancel an order while it is reserved, scheduled or queued",
  body: { schema: Cancellation, required: true },
  answers: {
    200: {
      description: "The order is cancelled; each request that waits for it is notified.",
      schema: Order,
      example: CANCELLED_EXAMPLE,
    },
  },
  problems: ["cross_site", ...BODY_PROBLEMS, "order_unknown", "order_conflict", "redis_away"],
});
