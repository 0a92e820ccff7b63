/** Owns the operation that notes how far a brewing order is (`redis/operations/progress.lua`). */
import type { Operation } from "../../redis/operation.ts";
import { encodeBarista, readChange, type Change, type ChangeOutcome } from "../outcomes.ts";

export interface Progress extends Change {
  /** How far it is: a JSON object in one line. */
  readonly progress: string;
}

export const progress: Operation<Progress, ChangeOutcome, "order_id" | "barista" | "progress"> = {
  name: "progress",
  fields: ["order_id", "barista", "progress"],
  encode: ({ orderId, barista, progress: far }) => ({
    order_id: orderId,
    barista: encodeBarista(barista),
    progress: far,
  }),
  decode: (outcome, rest) => readChange("progressed", outcome, rest),
};
