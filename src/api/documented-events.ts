/**
 * Owns how a route that is a stream of events is described in the OpenAPI document.
 *
 * **Invariants**
 * - Its example is a frame as the server sends it.
 */
import { createEncoders } from "../events/sse-frame.ts";
import { documented, type Documentation } from "../http/documented.ts";
import { BREWING_EXAMPLE } from "../orders/order.ts";

const LAST_EVENT_ID = {
  name: "Last-Event-ID",
  description:
    "The `id` of the last event that you got: you get what came after it, each event once. Without it: what comes from now on. " +
    "Where some of it is no longer kept, the first event is an `events.missed` (without an id of its own): look at the state anew.",
};

/** A route's options, with the description of a 200 that is a stream of events. */
export function documentedEvents(documentation: Documentation) {
  const { detail } = documented({ ...documentation, headers: [LAST_EVENT_ID] });
  const examples = { event: { value: exampleFrame() } };
  const content = { "text/event-stream": { schema: { type: "string" as const }, examples } };
  const streamed = { description: "The events, as they come.", content };
  return { detail: { ...detail, responses: { ...detail.responses, 200: streamed } } };
}

function exampleFrame(): string {
  const { order_id: orderId, ...order } = BREWING_EXAMPLE;
  const event = { id: "1795225048814-0", type: "order.started", orderId, data: JSON.stringify(order) };
  return new TextDecoder().decode(createEncoders("main").encode(event));
}
