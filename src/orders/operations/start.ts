/** Owns the operation that gives a barista an order under a new lease (`redis/operations/start.lua`). */
import type { Operation } from "../../redis/operation.ts";
import { orderIdIn } from "../../redis/order-id.ts";
import type { OrderJson } from "../order.ts";
import { encodeBarista, readRefusal, type Refusal } from "../outcomes.ts";

/** The start that a barista asks for. */
export interface Claim {
  /** Their Idempotency-Key: the same claim gets the same order, while that is brewing under it. */
  readonly claimId?: string | undefined;
  readonly barista: string;
  readonly queue: string;
  /** Only this order, out of its turn. */
  readonly orderId?: string | undefined;
  /** How long they wait for an order where there is none: they are woken. */
  readonly waitsMs?: number | undefined;
  /** Only if the finish of this order succeeded, in the same turn or before. */
  readonly after?: string | undefined;
  /** The `traceparent` of the request: for traces alone. */
  readonly traceparent?: string | undefined;
}

export type StartOutcome =
  | { readonly kind: "started"; readonly orderId: string; readonly order: OrderJson }
  | { readonly kind: "empty" }
  | Refusal;

export const start: Operation<Claim, StartOutcome, "barista" | "queue" | "waits" | "claim" | "chosen" | "after"> = {
  name: "start",
  fields: ["barista", "queue", "waits", "claim", "chosen", "after"],
  optional: 3,
  encode: ({ claimId = "", barista, queue, orderId = "", waitsMs = 0, after = "" }) => ({
    barista: encodeBarista(barista),
    queue,
    waits: Math.ceil(waitsMs),
    claim: claimId,
    chosen: orderId,
    after,
  }),
  decode: (outcome, rest) => {
    const [order = ""] = rest;
    if (outcome === "started") return { kind: outcome, orderId: orderIdIn(order), order };
    if (outcome === "empty") return { kind: outcome };
    return readRefusal(outcome, rest);
  },
};
