/**
 * Owns the customers' routes of a reservation: redeem a code, then choose.
 *
 * **Invariants**
 * - A code is spent only with an order to show for it.
 */
import { Elysia } from "elysia";
import { answerJson } from "../../http/json.ts";
import { documented } from "../../http/documented.ts";
import { idempotencyKeyHeader, readIdempotencyKey } from "../../http/idempotency.ts";
import { BODY_PROBLEMS, createBodyReader, missingBody } from "../../http/input.ts";
import type { ReadTraceparent } from "../../http/traceparent.ts";
import type { Limiter } from "../../limits/limiter.ts";
import { Completion, Order, QUEUED_EXAMPLE, RESERVED_EXAMPLE, ReservationDraft } from "../../orders/order.ts";
import type { Ordering } from "../../service/ordering.ts";
import { answerChanged } from "../answers.ts";
import { OrderParams, readOrderId, type PathContext } from "../parameters.ts";
import { KEY_OWNER } from "./order-descriptions.ts";
import { answerRefusal, answerShopRefusal, SHOP_PROBLEMS } from "../refusals.ts";
import type { ClientOf } from "./request-pace.ts";

export interface ReservationDependencies {
  readonly ordering: Pick<Ordering, "refuseEarly" | "reserve" | "complete">;
  readonly limiter: Pick<Limiter, "headers">;
  readonly readTraceparent: ReadTraceparent;
}

export function reservationRoutes(dependencies: ReservationDependencies, clientOf: ClientOf) {
  return new Elysia()
    .post("/reservation", createReserveOrder(dependencies, clientOf), RESERVE_ORDER)
    .put("/order/:id", createCompleteOrder(dependencies), COMPLETE_ORDER);
}

function createReserveOrder({ ordering, limiter, readTraceparent }: ReservationDependencies, clientOf: ClientOf) {
  const readDraft = createBodyReader(ReservationDraft);

  return async ({ request }: { request: Request }): Promise<Response> => {
    const address = clientOf(request);
    const refusal = await ordering.refuseEarly(address, request.headers.has("idempotency-key"));
    if (refusal) return answerRefusal(refusal, limiter);
    const draft = await readDraft(request);
    if (!draft) throw missingBody("an object with a code");
    const { headers: sent } = request;
    const wanted = { address, key: readIdempotencyKey(sent), draft, traceparent: readTraceparent(sent) };
    const outcome = await ordering.reserve(wanted);
    if (outcome.kind !== "reserved") return answerRefusal(outcome, limiter);
    const headers = { ...(outcome.limit && limiter.headers(outcome.limit)), Location: `/order/${outcome.orderId}` };
    return answerJson(outcome.order, { status: 201, headers });
  };
}

function createCompleteOrder({ ordering, readTraceparent }: ReservationDependencies) {
  const readCompletion = createBodyReader(Completion);

  return async ({ params, request }: PathContext): Promise<Response> => {
    const orderId = readOrderId(params);
    const completion = await readCompletion(request);
    const outcome = await ordering.complete(orderId, completion ?? {}, readTraceparent(request.headers));
    return outcome.kind === "refused" ? answerShopRefusal(outcome) : answerChanged(outcome, "chosen for");
  };
}

const RESERVE_ORDER = documented({
  tag: "Orders",
  operationId: "reserveOrder",
  summary: "Redeem a code, and choose later",
  description:
    "The code stands on the board. The order is yours until the shop's customer_timeout_seconds are over: PUT your choice before.",
  headers: [
    idempotencyKeyHeader({
      effect: "The same key with the same body gets the order first reserved under it.",
      owner: KEY_OWNER,
    }),
  ],
  body: { schema: ReservationDraft, required: true },
  answers: {
    201: {
      description: "The order is reserved.",
      schema: Order,
      example: RESERVED_EXAMPLE,
      headers: { Location: "where the order is" },
    },
  },
  problems: [
    "cross_site",
    ...BODY_PROBLEMS,
    "redis_away",
    ...SHOP_PROBLEMS,
    "idempotency_mismatch",
    "order_damaged",
    "too_many_orders",
    "closing",
  ],
});

const COMPLETE_ORDER = documented({
  params: OrderParams,
  tag: "Orders",
  operationId: "completeOrder",
  summary: "Choose the drink of a reservation",
  body: { schema: Completion, required: false },
  answers: { 200: { description: "The order is queued.", schema: Order, example: QUEUED_EXAMPLE } },
  problems: ["cross_site", ...BODY_PROBLEMS, "redis_away", "order_unknown", "order_conflict"],
});
