/**
 * Owns what staff change of fulfilments, and how they hear of them. Only the baristas' port has it.
 *
 * **Invariants**
 * - A fulfilment is changed as over HTTP, by the same service.
 */
import { Type } from "@sinclair/typebox";
import type { EventFeed } from "../../events/feed.ts";
import type { Order } from "../../orders/order.ts";
import { DEFAULT_QUEUE } from "../../orders/orders.ts";
import type { Fulfilling } from "../../service/fulfilling.ts";
import { Barista, createArgumentReader, readId } from "./arguments.ts";
import type { Builder } from "./builder.ts";
import type { Guard } from "./errors.ts";
import { listenToAll } from "./listening-source.ts";
import type { FulfilmentType } from "./order-type.ts";
import { changedOrderOf } from "./outcomes.ts";

const readBarista = createArgumentReader(Type.Object({ barista: Type.Optional(Barista) }));

export function defineFulfilmentChanges(
  builder: Builder,
  FulfilmentObject: FulfilmentType,
  fulfilling: Pick<Fulfilling, "complete" | "reject">,
  guard: Guard,
): void {
  builder.mutationFields((t) => {
    const args = {
      id: t.arg.id({ required: true }),
      barista: t.arg.string({ description: "Who made it, or has it; without it: any." }),
    };
    return {
      completeFulfilment: t.field({
        type: FulfilmentObject,
        nullable: true,
        description: "Finishes the order; one that is queued is started on the way.",
        args,
        resolve: (_root, { id, barista }, context) =>
          guard(context, async () => {
            const { traceparent } = context;
            const change = { orderId: readId(id), ...readBarista({ barista }), traceparent };
            return changedOrderOf(await fulfilling.complete(change), "completed");
          }),
      }),
      rejectFulfilment: t.field({
        type: FulfilmentObject,
        nullable: true,
        description: "Cancels the order.",
        args,
        resolve: (_root, { id, barista }, context) =>
          guard(context, async () => {
            const { traceparent } = context;
            const change = { orderId: readId(id), ...readBarista({ barista }), traceparent };
            return changedOrderOf(await fulfilling.reject(change), "rejected");
          }),
      }),
    };
  });
}

/** The events with which a fulfilment begins, or becomes another. */
const FULFILMENT_TYPES = [
  "order.reserved",
  "order.unpaid",
  "order.placed",
  "order.scheduled",
  "payment.authorised",
  "payment.taken",
  "order.finished",
  "order.cancelled",
];

export function defineFulfilmentUpdates(
  builder: Builder,
  FulfilmentObject: FulfilmentType,
  feed: EventFeed,
  guard: Guard,
): void {
  builder.subscriptionField("fulfilmentUpdated", (t) =>
    t.field({
      type: FulfilmentObject,
      nullable: true,
      description: "Each fulfilment of the counter's orders, as it is pending, created, completed or rejected.",
      subscribe: (_root, _arguments, context) =>
        guard(context, () => listenToAll<Order>(feed, { types: FULFILMENT_TYPES, queue: DEFAULT_QUEUE })),
      resolve: (order) => order,
    }),
  );
}
