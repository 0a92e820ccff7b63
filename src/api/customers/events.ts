/**
 * Owns the customers' route to the events of an order.
 *
 * **Invariants**
 * - A listener gets the order's last event, and then its stream ends.
 * - A listener gets no event of another order.
 */
import { Elysia } from "elysia";
import { answerFrames, answerHead, createEventStreams, readLastEventId } from "../../http/events.ts";
import type { FindServer } from "../../http/listening.ts";
import { problem } from "../../problem.ts";
import type { Listening, ListenOutcome } from "../../service/listening.ts";
import { answerClosing, answerFound, answerTooManyListeners } from "../answers.ts";
import { documentedEvents } from "../documented-events.ts";
import { OrderParams, readOrderId, type PathContext } from "../parameters.ts";
import type { ClientOf } from "./request-pace.ts";

export interface EventDependencies {
  readonly listening: Listening;
}

export function eventRoutes(dependencies: EventDependencies, findServer: FindServer, clientOf: ClientOf) {
  return new Elysia().get(
    "/order/:id/events",
    createListenToOrder(dependencies, findServer, clientOf),
    LISTEN_TO_ORDER,
  );
}

function createListenToOrder({ listening }: EventDependencies, findServer: FindServer, clientOf: ClientOf) {
  const streamEvents = createEventStreams();

  return async ({ params, request }: PathContext): Promise<Response> => {
    const orderId = readOrderId(params);
    const after = readLastEventId(request.headers);
    if (request.method === "HEAD") return answerHead();
    const connection = { server: findServer(), request };
    const outcome = await listening.listenToOrder({ orderId, address: clientOf(request), after });
    if (outcome.kind !== "listening") return answerUnheard(outcome);
    const { subscription, slot, wanted } = outcome;
    return streamEvents({ connection, subscription, wanted, after, onOver: () => slot[Symbol.dispose]() });
  };
}

function answerUnheard(outcome: Exclude<ListenOutcome, { kind: "listening" }>): Response {
  switch (outcome.kind) {
    case "over":
      return answerFrames(outcome.frames);
    case "unknown":
    case "damaged":
      return answerFound({ kind: outcome.kind });
    case "closing":
      return answerClosing();
    case "too_many_held": {
      const detail = "Too many of your address listen already: let some end.";
      return problem("too_many_held", { detail, headers: { "Retry-After": "5" } });
    }
    case "full":
    case "room_full":
    case "too_many_for_order":
      return answerTooManyListeners();
  }
}

const LISTEN_TO_ORDER = documentedEvents({
  params: OrderParams,
  tag: "Orders",
  operationId: "listenToOrder",
  summary: "Listen to an order",
  description:
    "Server-sent events, each a CloudEvent in JSON with the order as it is then. The stream ends after the order's last " +
    "event, `order.finished` or `order.cancelled`; of an order that is over it is sent at once. A comment comes every 15 s.",
  answers: {
    204: {
      description: "The order is over, and you have its last event, or it is no longer kept: come back no more.",
    },
  },
  problems: ["order_unknown", "invalid_input", "too_many_held", "room_full", "redis_away", "closing"],
});
