/**
 * Owns how an order request becomes an answer, of the counter and of queues of machines: held, or accepted.
 *
 * **Invariants**
 * - A held request costs no promise but its answer's.
 */
import type { FindServer } from "../../http/listening.ts";
import { answerJson } from "../../http/json.ts";
import { withPreference, type Preferences } from "../../http/prefer.ts";
import type { ReadTraceparent } from "../../http/traceparent.ts";
import type { FindOutcome } from "../../orders/queries.ts";
import { isFinal } from "../../orders/status.ts";
import type { Ordering, OrderRequest } from "../../service/ordering.ts";
import { UNTRACED, type Tracing } from "../../tracing/tracing.ts";
import { answerFound } from "../answers.ts";
import { createHolding, type AnswerHeaders, type HoldCustomer, type HoldingDependencies } from "./held-customer.ts";
import { answerRefusal } from "../refusals.ts";
import type { CheckCallback } from "../callbacks.ts";
import type { ClientOf } from "./request-pace.ts";

export interface PlacingDependencies extends HoldingDependencies {
  readonly ordering: HoldingDependencies["ordering"] & Pick<Ordering, "orderAndWait" | "orderAndAccept">;
  readonly readTraceparent: ReadTraceparent;
  /** Undefined: nothing is traced. */
  readonly tracing: Pick<Tracing, "beginRequest"> | undefined;
  readonly checkCallback: CheckCallback;
}

/** Answers an order request as its sender prefers. */
export type Place = (request: Request, preferences: Preferences, wanted: OrderRequest) => Promise<Response>;

/** What the routes of orders share. */
export interface OrderSurroundings {
  readonly findServer: FindServer;
  readonly clientOf: ClientOf;
  readonly holdCustomer: HoldCustomer;
  readonly place: Place;
}

export function createOrderSurroundings(
  dependencies: PlacingDependencies,
  findServer: FindServer,
  clientOf: ClientOf,
): OrderSurroundings {
  const holdCustomer = createHolding(dependencies);
  return { findServer, clientOf, holdCustomer, place: createPlace(dependencies, findServer, holdCustomer) };
}

function createPlace(dependencies: PlacingDependencies, findServer: FindServer, holdCustomer: HoldCustomer): Place {
  const { ordering, tracing } = dependencies;

  const accept = async (preferences: Preferences, wanted: OrderRequest): Promise<Response> => {
    const { limiter } = "queue" in wanted ? wanted.queue : dependencies;
    const outcome = await ordering.orderAndAccept(wanted);
    if (outcome.kind !== "accepted") return answerRefusal(outcome, limiter);
    const headers = withPreference(preferences, outcome.limit && limiter.headers(outcome.limit));
    return answerAccepted(outcome.found, outcome.orderId, headers);
  };

  const place: Place = (request, preferences, wanted) => {
    const seconds = preferences.waitSeconds ?? (preferences.respondAsync ? 0 : undefined);
    if (seconds === 0) return accept(preferences, wanted);
    const connection = { server: findServer(), request };
    const limiter = "queue" in wanted ? wanted.queue.limiter : undefined;
    const customer = holdCustomer({ connection, preferences, seconds, limiter, answerTimeOver: answerAccepted });
    ordering.orderAndWait(wanted, customer);
    return customer.answer;
  };

  if (!tracing) return place;
  return (request, preferences, wanted) => {
    const route = "queue" in wanted ? "/queue/:queue/" : "/order/";
    const span = tracing.beginRequest(request, { route, cause: wanted.traceparent });
    const answering = place(request, preferences, { ...wanted, traceparent: span?.traceparent ?? UNTRACED });
    return span ? answering.then(span.end, span.fail) : answering;
  };
}

/** 202 with the order as it is now. An order that was joined by its key may be final already. */
function answerAccepted(found: FindOutcome, orderId: string, headers: AnswerHeaders): Response {
  if (found.kind === "found" && isFinal(found.status)) return answerJson(found.order, { headers });
  return answerFound(found, { status: 202, headers: { ...headers, Location: `/order/${orderId}` } });
}
