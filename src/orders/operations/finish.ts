/** Owns the operation that makes a brewing order ready (`redis/operations/finish.lua`). */
import type { Operation } from "../../redis/operation.ts";
import { encodeBarista, encodeStart, readChange, type Change, type ChangeOutcome, type StartOf } from "../outcomes.ts";

export interface Finish extends Change {
  /** The result of the work, as JSON in one line; undefined: none. */
  readonly result?: string | undefined;
  /** Only for this start. */
  readonly start?: StartOf | undefined;
}

export const finish: Operation<Finish, ChangeOutcome, "order_id" | "barista" | "result" | "attempts" | "started_at"> = {
  name: "finish",
  fields: ["order_id", "barista", "result", "attempts", "started_at"],
  optional: 3,
  encode: ({ orderId, barista, result = "", start }) => ({
    order_id: orderId,
    barista: encodeBarista(barista),
    result,
    ...encodeStart(start),
  }),
  decode: (outcome, rest) => readChange("finished", outcome, rest),
};
