/**
 * Owns the customers' route to the events of an order.
 *
 * **Invariants**
 * - A listener gets the order's last event, and then its stream ends.
 * - A listener gets no event of another order.
 */
import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import type { EventId } from "../../events/event.ts";
import type { EventFeed, Place } from "../../events/feed.ts";
import { answerClosing, answerFound } from "../../http/answers.ts";
import type { FindServer } from "../../http/listening.ts";
import {
  answerFrames,
  answerHead,
  createEventStreams,
  documentedEvents,
  readLastEventId,
  tooManyListeners,
} from "../../http/events.ts";
import type { HeldRequests } from "../../limits/held.ts";
import { isFinal, type Order, type OrderJson } from "../../orders/order.ts";
import type { Orders } from "../../orders/verbs.ts";
import { problem } from "../../problem.ts";
import type { ClientOf } from "./limited.ts";

const OrderParams = Type.Object({ id: Type.String({ format: "uuid", description: "the order's UUID" }) });

export interface EventDependencies {
  readonly orders: Pick<Orders, "find">;
  readonly feed: EventFeed;
  /** Customers who listen to events, counted apart from those who are held. */
  readonly listeners: HeldRequests;
  /** Whether the server is stopping: nothing new begins. */
  readonly isClosing: () => boolean;
}

export function eventRoutes(
  { orders, feed, listeners, isClosing }: EventDependencies,
  findServer: FindServer,
  clientOf: ClientOf,
) {
  const streamEvents = createEventStreams();

  /**
   * A listener's place, to be given back by disposing of it, or the refusal while the address or the server has too
   * many.
   */
  const enter = (address: string): DisposableStack | Response => {
    const entry = listeners.enter(address);
    if (entry.kind === "too_many_held") {
      const detail = "Too many of your address listen already: let some end.";
      return problem("too_many_held", { detail, headers: { "Retry-After": "5" } });
    }
    if (entry.kind !== "entered") return tooManyListeners();
    const stay = new DisposableStack();
    stay.use(entry.place);
    return stay;
  };

  /** Answers with the events that are left of an order that is over. */
  const tellEnded = async (orderId: string, order: OrderJson, after: EventId | undefined): Promise<Response> => {
    const { finished_at: finishedAt = "" } = JSON.parse(order) as Order;
    return answerFrames(await feed.readEnded({ orderId, after, finishedMs: Date.parse(finishedAt) }));
  };

  /** Begins to listen, then looks at the order: its end comes after the look, or is seen by it. */
  const listen = async (orderId: string, after: EventId | undefined): Promise<Place | Response> => {
    const outcome = await feed.takePlace();
    if (outcome.kind !== "taken") return outcome.kind === "full" ? tooManyListeners() : answerClosing();
    using stay = new DisposableStack();
    stay.defer(() => outcome.place.leave());
    const found = await orders.find(orderId);
    if (found.kind !== "found") return answerFound(found);
    if (isFinal(found.status)) return await tellEnded(orderId, found.order, after);
    stay.move();
    return outcome.place;
  };

  return new Elysia().get(
    "/order/:id/events",
    async ({ params: { id }, request }) => {
      if (isClosing()) return answerClosing();
      const after = readLastEventId(request.headers);
      if (request.method === "HEAD") return answerHead();
      const entered = enter(clientOf(request));
      if (entered instanceof Response) return entered;
      using stay = entered;
      const orderId = id.toLowerCase();
      const connection = { server: findServer(), request };
      const place = await listen(orderId, after);
      if (place instanceof Response) return place;
      const leaving = stay.move();
      const wanted = { orderId, untilFinal: true };
      return streamEvents({ connection, place, wanted, after, onOver: () => leaving.dispose() });
    },
    {
      params: OrderParams,
      ...documentedEvents({
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
      }),
    },
  );
}
