/** Owns the operation that notes that an order can't be made (`redis/operations/fail.lua`). */
import type { Operation } from "../../redis/group-commit.ts";
import { encodeBarista, readChange, type Change, type ChangeOutcome } from "../outcomes.ts";

export interface Failure extends Change {
  /** Why: the customer reads it if the order is cancelled. */
  readonly error: string;
  /** Whether it may be tried again while attempts are left. */
  readonly retry: boolean;
  /** How long it waits before it may be started again. */
  readonly retryAfterMs: number;
}

/** `changed`: queued again, or cancelled. */
export const fail: Operation<Failure, ChangeOutcome, "order_id" | "barista" | "failure" | "retry" | "delay"> = {
  name: "fail",
  fields: ["order_id", "barista", "failure", "retry", "delay"],
  encode: ({ orderId, barista, error, retry, retryAfterMs }) => ({
    order_id: orderId,
    barista: encodeBarista(barista),
    failure: JSON.stringify(error),
    retry: retry ? 1 : 0,
    delay: Math.ceil(retryAfterMs),
  }),
  decode: (outcome, rest) => readChange(outcome === "cancelled" ? outcome : "failed_for_now", outcome, rest),
};
