/** Owns the operation that makes a brewing order ready (`redis/operations/finish.lua`). */
import type { Operation } from "../../redis/group-commit.ts";
import { encodeBarista, readChange, type Change, type ChangeOutcome } from "../outcomes.ts";

export interface Finish extends Change {
  /** The result of the work, as JSON in one line; undefined: none. */
  readonly result?: string | undefined;
}

export const finish: Operation<Finish, ChangeOutcome, "order_id" | "barista" | "result"> = {
  name: "finish",
  fields: ["order_id", "barista", "result"],
  optional: 1,
  encode: ({ orderId, barista, result = "" }) => ({ order_id: orderId, barista: encodeBarista(barista), result }),
  decode: (outcome, rest) => readChange("finished", outcome, rest),
};
