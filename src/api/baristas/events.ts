/**
 * Owns the baristas' route to the events of the whole shop.
 *
 * **Invariants**
 * - A filter that names something unknown is refused.
 */
import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { EVENT_TYPES } from "../../events/event.ts";
import type { EventFeed } from "../../events/feed.ts";
import { answerHead, createEventStreams, readLastEventId } from "../../http/events.ts";
import { createQueryReader } from "../../http/input.ts";
import type { FindServer } from "../../http/listening.ts";
import { OWN_EVENT_TYPE } from "../../formats.ts";
import { answerClosing, answerTooManyListeners } from "../answers.ts";
import { documentedEvents } from "../documented-events.ts";
import { OrderId } from "../parameters.ts";
import { QueueName } from "./order-descriptions.ts";

const oneType = `(${EVENT_TYPES.join("|").replaceAll(".", "\\.")}|${OWN_EVENT_TYPE})`;

const EventsQuery = Type.Object({
  type: Type.Optional(
    Type.String({
      pattern: `^${oneType}(,${oneType})*$`,
      description: `one or more of ${EVENT_TYPES.join(", ")}, or of a machine's own, such as compute/start, with commas between`,
    }),
  ),
  order_id: Type.Optional(OrderId),
  queue: Type.Optional(QueueName),
});

export interface EventDependencies {
  readonly feed: EventFeed;
}

export function eventRoutes(dependencies: EventDependencies, findServer: FindServer) {
  return new Elysia().get("/events", createListenToShop(dependencies, findServer), LISTEN_TO_SHOP);
}

function createListenToShop({ feed }: EventDependencies, findServer: FindServer) {
  const readEvents = createQueryReader(EventsQuery);
  const streamEvents = createEventStreams();

  return async ({ request }: { request: Request }): Promise<Response> => {
    const { order_id, type, queue } = readEvents(request);
    const after = readLastEventId(request.headers);
    if (request.method === "HEAD") return answerHead();
    const connection = { server: findServer(), request };
    const outcome = await feed.subscribe();
    if (outcome.kind !== "subscribed") return outcome.kind === "full" ? answerTooManyListeners() : answerClosing();
    const wanted = { orderId: order_id?.toLowerCase(), types: type?.split(","), queue };
    return streamEvents({ connection, subscription: outcome.subscription, wanted, after });
  };
}

const LISTEN_TO_SHOP = documentedEvents({
  query: EventsQuery,
  tag: "Events",
  operationId: "listenToShop",
  summary: "Listen to the shop",
  description:
    "Server-sent events, each a CloudEvent in JSON: of orders with the order as it is then, and the shop's own. " +
    "With `queue` only those of its orders, and the shop's own. It goes on until the server stops; who reads too slowly is cut off. A comment comes every 15 s.",
  answers: {},
  problems: ["unauthorized", "invalid_input", "room_full", "redis_away", "closing"],
});
