/** Owns the operation that gives a brewing order a new lease (`redis/operations/extend.lua`). */
import type { Operation } from "../../redis/operation.ts";
import { encodeBarista, readChange, type Change, type ChangeOutcome } from "../outcomes.ts";

export const extend: Operation<Change, ChangeOutcome, "order_id" | "barista"> = {
  name: "extend",
  fields: ["order_id", "barista"],
  encode: ({ orderId, barista }) => ({ order_id: orderId, barista: encodeBarista(barista) }),
  decode: (outcome, rest) => readChange("extended", outcome, rest),
};
