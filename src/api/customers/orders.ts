/**
 * Owns the customers' routes of an order: place and wait, look and wait, cancel.
 *
 * **Invariants**
 * - An address that is known to order too fast is refused before its request is read.
 * - A held request costs no promise but its answer's.
 */
import { Elysia } from "elysia";
import type { HttpConnection } from "../../http/hold.ts";
import { readIdempotencyKey } from "../../http/idempotency.ts";
import { createBodyReader, createQueryReader, missingBody } from "../../http/input.ts";
import { readPreferences, withPreference } from "../../http/prefer.ts";
import type { FindOutcome } from "../../orders/queries.ts";
import { Draft } from "../../orders/order.ts";
import type { Orders } from "../../orders/orders.ts";
import type { Ordering } from "../../service/ordering.ts";
import { answerChanged, answerFound } from "../answers.ts";
import { readOrderId, type PathContext } from "../parameters.ts";
import type { AnswerHeaders, HoldCustomer } from "./held-customer.ts";
import { CANCEL_ORDER, Cancellation, FIND_ORDER, PLACE_ORDER, WaitQuery } from "./order-descriptions.ts";
import type { OrderSurroundings, Place, PlacingDependencies } from "./placing.ts";
import { answerRefusal } from "../refusals.ts";
import type { ClientOf } from "./request-pace.ts";

export interface OrderDependencies extends PlacingDependencies {
  readonly ordering: PlacingDependencies["ordering"] & Pick<Ordering, "refuseEarly" | "waitAgain" | "cancel">;
  readonly orders: Pick<Orders, "find">;
}

export function orderRoutes(
  dependencies: OrderDependencies,
  { findServer, clientOf, holdCustomer, place }: OrderSurroundings,
) {
  const connectionOf = (request: Request): HttpConnection => ({ server: findServer(), request });
  const shared = { ...dependencies, holdCustomer, connectionOf, clientOf, place };
  return new Elysia()
    .post("/order/", createPlaceOrder(shared), PLACE_ORDER)
    .get("/order/:id", createFindOrder(shared), FIND_ORDER)
    .patch("/order/:id", createCancelOrder(shared), CANCEL_ORDER);
}

interface Shared extends OrderDependencies {
  readonly holdCustomer: HoldCustomer;
  readonly connectionOf: (request: Request) => HttpConnection;
  readonly clientOf: ClientOf;
  readonly place: Place;
}

function createPlaceOrder({ ordering, limiter, readTraceparent, checkCallback, clientOf, place }: Shared) {
  const readDraft = createBodyReader(Draft);

  // No async function: a held order would be one promise more. Elysia waits for it, as a call stands behind a return.
  return ({ request }: { request: Request }): Promise<Response> | Response => {
    const address = clientOf(request);
    const { headers } = request;
    const refusing = ordering.refuseEarly(address, headers.has("idempotency-key"));
    if (refusing) return refusing.then((refusal) => answerRefusal(refusal, limiter));
    const preferences = readPreferences(headers);
    const key = readIdempotencyKey(headers);
    const traceparent = readTraceparent(headers);
    return readDraft.into(request, (draft = {}) => {
      checkCallback(draft.callback_url);
      return place(request, preferences, { address, key, draft, traceparent });
    });
  };
}

function createFindOrder(shared: Shared) {
  const { ordering, orders, readTraceparent, holdCustomer, connectionOf, clientOf } = shared;
  const readWait = createQueryReader(WaitQuery);
  const answerNow = (found: FindOutcome, _orderId: string, headers: AnswerHeaders): Response =>
    answerFound(found, { headers });

  return async ({ params, request }: PathContext): Promise<Response> => {
    const orderId = readOrderId(params);
    const { wait } = readWait(request);
    const preferences = readPreferences(request.headers);
    const bound = wait ?? preferences.waitSeconds;
    if (bound === undefined || bound === 0) {
      return answerFound(await orders.find(orderId), { headers: withPreference(preferences) });
    }
    const seconds = bound === "" ? undefined : bound;
    const connection = connectionOf(request);
    const customer = holdCustomer({ connection, preferences, seconds, answerTimeOver: answerNow });
    const traceparent = readTraceparent(request.headers);
    ordering.waitAgain({ orderId, address: clientOf(request), traceparent }, customer);
    return await customer.answer;
  };
}

function createCancelOrder({ ordering, readTraceparent }: Shared) {
  const readCancellation = createBodyReader(Cancellation);

  return async ({ params, request }: PathContext): Promise<Response> => {
    const orderId = readOrderId(params);
    if (!(await readCancellation(request))) throw missingBody(Cancellation.description);
    return answerChanged(await ordering.cancel(orderId, readTraceparent(request.headers)), "cancelled by its customer");
  };
}
