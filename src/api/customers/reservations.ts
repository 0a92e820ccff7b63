/**
 * Owns the customers' routes of a reservation: redeem a code, then choose.
 *
 * **Invariants**
 * - A code is spent only with an order to show for it.
 */
import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { answerChanged, answerClosing, answerJson, damagedOrder } from "../../http/answers.ts";
import { documented } from "../../http/documented.ts";
import { idempotencyKeyHeader, readIdempotencyKey } from "../../http/idempotency.ts";
import { createBodyReader } from "../../http/input.ts";
import type { Limiter } from "../../limits/limiter.ts";
import { Completion, Order, QUEUED_EXAMPLE, RESERVED_EXAMPLE, ReservationDraft } from "../../orders/order.ts";
import { DEFAULT_QUEUE, type Orders } from "../../orders/verbs.ts";
import { invalidInput } from "../../problem.ts";
import { KEY_OWNER, scopeToCustomer, tooManyOrders, type ClientOf } from "./limited.ts";
import { answerMismatch, answerShopRefusal, SHOP_PROBLEMS } from "./refusals.ts";

const OrderParams = Type.Object({ id: Type.String({ format: "uuid", description: "the order's UUID" }) });

const INPUT_PROBLEMS = ["malformed_json", "body_too_large", "not_json", "invalid_input", "redis_away"] as const;

export interface ReservationDependencies {
  readonly orders: Pick<Orders, "reserve" | "complete">;
  readonly limiter: Limiter;
  /** Whether the server is stopping: nothing new begins. */
  readonly isClosing: () => boolean;
}

export function reservationRoutes({ orders, limiter, isClosing }: ReservationDependencies, clientOf: ClientOf) {
  const readReservation = createBodyReader(ReservationDraft);
  const readCompletion = createBodyReader(Completion);

  return new Elysia()
    .post(
      "/reservation",
      async ({ request }) => {
        if (isClosing()) return answerClosing();
        const draft = await readReservation(request);
        if (!draft) return invalidInput([{ field: "body", detail: "is missing: it must be an object with a code" }]);
        const key = readIdempotencyKey(request.headers);
        const address = clientOf(request);
        const idempotencyKey = scopeToCustomer(key, { customerId: draft.customer_id, address });
        const recalled = limiter.recall(address, idempotencyKey !== undefined);
        if (recalled) return tooManyOrders(limiter.headers(recalled));
        const bucket = limiter.bucketOf(address);
        const outcome = await orders.reserve({ orderId: Bun.randomUUIDv7(), draft, idempotencyKey, bucket });
        if (outcome.kind === "damaged") return damagedOrder();
        const limits = limiter.headers(limiter.note(address, outcome.kind !== "denied", outcome.tokens));
        if (outcome.kind === "denied") return tooManyOrders(limits);
        if (outcome.kind === "refused") return answerShopRefusal(outcome, limits);
        if (outcome.kind === "mismatch") return answerMismatch(limits);
        const headers = { ...limits, Location: `/order/${outcome.orderId}` };
        return answerJson(outcome.order, { status: 201, headers });
      },
      documented({
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
          ...INPUT_PROBLEMS,
          ...SHOP_PROBLEMS,
          "idempotency_mismatch",
          "order_damaged",
          "too_many_orders",
          "closing",
        ],
      }),
    )
    .put(
      "/order/:id",
      async ({ params: { id }, request }) => {
        const completion = await readCompletion(request);
        const choice = { orderId: id.toLowerCase(), queue: DEFAULT_QUEUE, completion: completion ?? {} };
        const outcome = await orders.complete(choice);
        return outcome.kind === "refused" ? answerShopRefusal(outcome) : answerChanged(outcome, "chosen for");
      },
      {
        params: OrderParams,
        ...documented({
          params: OrderParams,
          tag: "Orders",
          operationId: "completeOrder",
          summary: "Choose the drink of a reservation",
          body: { schema: Completion, required: false },
          answers: { 200: { description: "The order is queued.", schema: Order, example: QUEUED_EXAMPLE } },
          problems: ["cross_site", ...INPUT_PROBLEMS, "order_unknown", "order_conflict"],
        }),
      },
    );
}
