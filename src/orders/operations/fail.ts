/** Owns the operation that notes that an order can't be made (`redis/operations/fail.lua`). */
import type { Operation } from "../../redis/operation.ts";
import { encodeBarista, encodeStart, readChange, type Change, type ChangeOutcome, type StartOf } from "../outcomes.ts";
import type { FailureDraft } from "../views.ts";

export interface Failure extends Change {
  /** Why: the customer reads it if the order is cancelled. */
  readonly error: string;
  /** Whether it may be tried again while attempts are left. */
  readonly retry: boolean;
  /** How long it waits before it may be started again. */
  readonly retryAfterMs: number;
  /** Only for this start: to fail that again answers the same. */
  readonly start?: StartOf | undefined;
}

/** What a barista says of it. */
export function failureOf({ error, retry = true, retry_after_seconds = 0 }: FailureDraft) {
  return { error, retry, retryAfterMs: retry_after_seconds * 1000 };
}

type Field = "order_id" | "barista" | "failure" | "retry" | "delay" | "attempts" | "started_at";

/** `changed`: queued again, or cancelled. */
export const fail: Operation<Failure, ChangeOutcome, Field> = {
  name: "fail",
  fields: ["order_id", "barista", "failure", "retry", "delay", "attempts", "started_at"],
  optional: 2,
  encode: ({ orderId, barista, error, retry, retryAfterMs, start }) => ({
    order_id: orderId,
    barista: encodeBarista(barista),
    failure: JSON.stringify(error),
    retry: retry ? 1 : 0,
    delay: Math.ceil(retryAfterMs),
    ...encodeStart(start),
  }),
  decode: (outcome, rest) => readChange(outcome === "cancelled" ? outcome : "failed_for_now", outcome, rest),
};
