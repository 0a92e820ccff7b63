/** Owns the operation that puts a brewing order back into its queue (`redis/operations/release.lua`). */
import type { Operation } from "../../redis/operation.ts";
import { encodeBarista, readChange, type Change, type ChangeOutcome } from "../outcomes.ts";

export interface Release extends Change {
  /** Whether this start does not count as an attempt: what kept the order from being made is no fault of it. */
  readonly isUncounted?: boolean | undefined;
}

export const release: Operation<Release, ChangeOutcome, "order_id" | "barista" | "uncounted"> = {
  name: "release",
  fields: ["order_id", "barista", "uncounted"],
  optional: 1,
  encode: ({ orderId, barista, isUncounted = false }) => ({
    order_id: orderId,
    barista: encodeBarista(barista),
    uncounted: isUncounted ? 1 : "",
  }),
  decode: (outcome, rest) => readChange("released", outcome, rest),
};
