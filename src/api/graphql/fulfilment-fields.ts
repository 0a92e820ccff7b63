/**
 * Owns what staff change of fulfilments, and how they hear of them. Only the baristas' port has it.
 *
 * **Invariants**
 * - A fulfilment is changed as over HTTP, by the same service.
 */
import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import type { EventFeed } from "../../events/feed.ts";
import { DEFAULT_QUEUE } from "../../orders/orders.ts";
import { InvalidInputError } from "../../problem.ts";
import type { Fulfilling } from "../../service/fulfilling.ts";
import { answerClosing, answerTooManyListeners } from "../answers.ts";
import type { Builder } from "./builder.ts";
import { RefusedError, type Guard } from "./errors.ts";
import { FeedSource } from "./feed-source.ts";
import type { FulfilmentType } from "./order-type.ts";
import { changedOrderOf, readId } from "./outcomes.ts";

const BaristaName = Type.String({ minLength: 1, maxLength: 64 });

function readBarista(barista: string | null | undefined): string | undefined {
  if (barista === null || barista === undefined) return undefined;
  if (Value.Check(BaristaName, barista)) return barista;
  throw new InvalidInputError([{ field: "barista", detail: "must be 1 to 64 characters" }]);
}

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
            const change = { orderId: readId(id), barista: readBarista(barista) };
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
            const change = { orderId: readId(id), barista: readBarista(barista) };
            return changedOrderOf(await fulfilling.reject(change), "rejected");
          }),
      }),
    };
  });
}

/** The events with which a fulfilment begins, or becomes another. */
const FULFILMENT_TYPES = ["order.reserved", "order.placed", "order.scheduled", "order.finished", "order.cancelled"];

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
      description: "Each fulfilment of the counter's orders, as it is created, completed or rejected.",
      subscribe: (_root, _arguments, context) =>
        guard(context, async () => {
          const outcome = await feed.subscribe();
          if (outcome.kind !== "subscribed") {
            throw new RefusedError(outcome.kind === "full" ? answerTooManyListeners() : answerClosing());
          }
          const wanted = { types: FULFILMENT_TYPES, queue: DEFAULT_QUEUE };
          return new FeedSource({ kind: "live", subscription: outcome.subscription, wanted, release: () => {} });
        }),
      resolve: (order) => order,
    }),
  );
}
