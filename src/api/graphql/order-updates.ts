/**
 * Owns the subscription to an order.
 *
 * **Invariants**
 * - A subscriber gets the order's last event, and then its stream is complete.
 */
import { problem } from "../../problem.ts";
import type { Listening, ListenOutcome } from "../../service/listening.ts";
import { answerClosing, answerFound, answerTooManyListeners } from "../answers.ts";
import type { Builder } from "./builder.ts";
import { RefusedError, type Guard } from "./errors.ts";
import { FeedSource } from "./feed-source.ts";
import type { OrderType } from "./order-type.ts";
import { readId } from "./outcomes.ts";

export function defineOrderUpdates(builder: Builder, OrderObject: OrderType, listening: Listening, guard: Guard): void {
  builder.subscriptionField("orderUpdated", (t) =>
    t.field({
      type: OrderObject,
      nullable: true,
      description: "The order at each of its events, up to its last one.",
      args: { id: t.arg.id({ required: true }) },
      subscribe: (_root, { id }, context) =>
        guard(context, async () => {
          const { address, after } = context;
          const orderId = readId(id);
          return sourceOf(orderId, await listening.listenToOrder({ orderId, address, after }));
        }),
      resolve: (order) => order,
    }),
  );
}

function sourceOf(orderId: string, outcome: ListenOutcome): FeedSource {
  switch (outcome.kind) {
    case "listening": {
      const { subscription, slot } = outcome;
      const release = (): void => slot[Symbol.dispose]();
      return new FeedSource({ kind: "live", subscription, wanted: { orderId, untilFinal: true }, release });
    }
    case "over":
      return new FeedSource(outcome);
    case "unknown":
    case "damaged":
      throw new RefusedError(answerFound({ kind: outcome.kind }));
    case "closing":
      throw new RefusedError(answerClosing());
    case "too_many_held":
    case "full":
    case "room_full":
    case "too_many_for_order":
      throw new RefusedError(outcome.kind === "too_many_held" ? problem(outcome.kind) : answerTooManyListeners());
  }
}
