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
import { answerClosing } from "../../http/answers.ts";
import type { FindServer } from "../../http/listening.ts";
import {
  answerHead,
  createEventStreams,
  documentedEvents,
  readLastEventId,
  tooManyListeners,
} from "../../http/events.ts";
import { createQueryReader } from "../../http/input.ts";

const oneType = `(${EVENT_TYPES.join("|").replaceAll(".", "\\.")})`;

const EventsQuery = Type.Object({
  type: Type.Optional(
    Type.String({
      pattern: `^${oneType}(,${oneType})*$`,
      description: `one or more of ${EVENT_TYPES.join(", ")}, with commas between`,
    }),
  ),
  order_id: Type.Optional(Type.String({ format: "uuid", description: "the order's UUID" })),
});

export interface EventDependencies {
  readonly feed: EventFeed;
  /** Whether the server is stopping: nothing new begins. */
  readonly isClosing: () => boolean;
}

export function eventRoutes({ feed, isClosing }: EventDependencies, findServer: FindServer) {
  const readEvents = createQueryReader(EventsQuery);
  const streamEvents = createEventStreams();

  return new Elysia().get(
    "/events",
    async ({ request }) => {
      if (isClosing()) return answerClosing();
      const asked = readEvents(request);
      const after = readLastEventId(request.headers);
      if (request.method === "HEAD") return answerHead();
      const connection = { server: findServer(), request };
      const outcome = await feed.takePlace();
      if (outcome.kind !== "taken") return outcome.kind === "full" ? tooManyListeners() : answerClosing();
      const wanted = { orderId: asked.order_id?.toLowerCase(), types: asked.type?.split(",") };
      return streamEvents({ connection, place: outcome.place, wanted, after });
    },
    documentedEvents({
      query: EventsQuery,
      tag: "Events",
      operationId: "listenToShop",
      summary: "Listen to the shop",
      description:
        "Server-sent events, each a CloudEvent in JSON: of orders with the order as it is then, and the shop's own. " +
        "It goes on until the server stops; who reads too slowly is cut off. A comment comes every 15 s.",
      answers: {},
      problems: ["unauthorized", "invalid_input", "room_full", "redis_away", "closing"],
    }),
  );
}
