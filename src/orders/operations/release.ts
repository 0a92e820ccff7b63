/** Owns the operation that puts a brewing order back into its queue (`redis/operations/release.lua`). */
import type { Operation } from "../../redis/group-commit.ts";
import { encodeBarista, readChange, type Change, type ChangeOutcome } from "../outcomes.ts";

export const release: Operation<Change, ChangeOutcome, "order_id" | "barista"> = {
  name: "release",
  fields: ["order_id", "barista"],
  encode: ({ orderId, barista }) => ({ order_id: orderId, barista: encodeBarista(barista) }),
  decode: (outcome, rest) => readChange("released", outcome, rest),
};
