/** Owns the operation that keeps a demand as a dead letter that no machine can make (`redis/operations/bury.lua`). */
import type { Operation } from "../../redis/operation.ts";
import { unexpected } from "../outcomes.ts";

/** A demand without a customer. `orderId` (UUIDv7) is made by the caller. */
export interface Burial {
  readonly orderId: string;
  readonly queue: string;
  /** The demand as it came: JSON in one line. */
  readonly input: string;
  /** Why it can't be made. */
  readonly error: string;
  /** Of one key there is one dead letter. */
  readonly idempotencyKey: string;
}

/** `joined`: it was kept before. `unknown`: there is no such queue. */
export interface BuryOutcome {
  readonly kind: "buried" | "joined" | "unknown";
}

type Field = "order_id" | "queue" | "input" | "failure" | "idempotency_key";

export const bury: Operation<Burial, BuryOutcome, Field> = {
  name: "bury",
  fields: ["order_id", "queue", "input", "failure", "idempotency_key"],
  encode: ({ orderId, queue, input, error, idempotencyKey }) => ({
    order_id: orderId,
    queue,
    input,
    failure: JSON.stringify(error),
    idempotency_key: idempotencyKey,
  }),
  decode: (outcome) => {
    if (outcome === "buried" || outcome === "joined" || outcome === "unknown") return { kind: outcome };
    throw unexpected(outcome);
  },
};
