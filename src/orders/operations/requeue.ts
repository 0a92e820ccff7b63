/** Owns the operation that offers an order again that failed (`redis/operations/requeue.lua`). */
import type { Operation } from "../../redis/operation.ts";
import { unexpected } from "../outcomes.ts";

/** True: it is queued. False: it is not due. */
export const requeue: Operation<string, boolean, "order_id"> = {
  name: "requeue",
  fields: ["order_id"],
  encode: (orderId) => ({ order_id: orderId }),
  decode: (outcome) => {
    if (outcome === "requeued") return true;
    if (outcome === "kept" || outcome === "damaged") return false;
    throw unexpected(outcome);
  },
};
