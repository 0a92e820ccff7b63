/** Owns the operation that queues a reserved order, its drink chosen (`redis/operations/complete.lua`). */
import type { Operation } from "../../redis/operation.ts";
import { readShopRefusal, type ShopRefusal } from "../admission.ts";
import { encodeDetails, encodeModifiers, hashOf } from "../draft.ts";
import { DEFAULT_ITEM, type Completion } from "../order.ts";
import { readChange, type ChangeOutcome } from "../outcomes.ts";

export interface Choice {
  readonly orderId: string;
  readonly queue: string;
  readonly completion: Completion;
  /** The `traceparent` of the request: for traces alone. */
  readonly traceparent?: string | undefined;
}

export type CompleteOutcome = ChangeOutcome | ShopRefusal;

type Field = "order_id" | "queue" | "item" | "modifiers" | "details" | "choice";

export const complete: Operation<Choice, CompleteOutcome, Field> = {
  name: "complete",
  fields: ["order_id", "queue", "item", "modifiers", "details", "choice"],
  encode: ({ orderId, queue, completion }) => {
    const { item = DEFAULT_ITEM, modifiers, ...details } = completion;
    return {
      order_id: orderId,
      queue,
      item,
      modifiers: encodeModifiers(modifiers),
      details: encodeDetails({ ...details, modifiers }),
      choice: hashOf(completion),
    };
  },
  decode: (outcome, rest) => (outcome === "refused" ? readShopRefusal(rest) : readChange("completed", outcome, rest)),
};
