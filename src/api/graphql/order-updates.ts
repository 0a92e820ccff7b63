/**
 * Owns the subscription to an order.
 *
 * **Invariants**
 * - A subscriber gets the order's last event, and then its stream is complete.
 */
import type { Order } from "../../orders/order.ts";
import type { Listening } from "../../service/listening.ts";
import { answerFound } from "../answers.ts";
import { readId } from "./arguments.ts";
import type { Builder } from "./builder.ts";
import type { Guard } from "./errors.ts";
import { sourceOf } from "./listening-source.ts";
import type { OrderType } from "./order-type.ts";

export function defineOrderUpdates(
  builder: Builder,
  OrderObject: OrderType,
  listening: Pick<Listening, "listenToOrder">,
  guard: Guard,
): void {
  builder.subscriptionField("orderUpdated", (t) =>
    t.field({
      type: OrderObject,
      nullable: true,
      description: "The order at each of its events, up to its last one.",
      args: { id: t.arg.id({ required: true }) },
      subscribe: (_root, { id }, context) =>
        guard(context, async () => {
          const { address, after } = context;
          const outcome = await listening.listenToOrder({ orderId: readId(id), address, after });
          return sourceOf<Order>(outcome, { answerMissing: answerFound });
        }),
      resolve: (order) => order,
    }),
  );
}
