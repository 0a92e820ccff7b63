/** Owns the operation that cancels an order whose time is over (`redis/operations/expire.lua`). */
import type { Operation } from "../../redis/operation.ts";
import { unexpected } from "../outcomes.ts";

/** True: it is cancelled. False: its time is not over after all. */
export const expire: Operation<string, boolean, "order_id"> = {
  name: "expire",
  fields: ["order_id"],
  encode: (orderId) => ({ order_id: orderId }),
  decode: (outcome) => {
    if (outcome === "expired") return true;
    if (outcome === "kept" || outcome === "damaged") return false;
    throw unexpected(outcome);
  },
};
