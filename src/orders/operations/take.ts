/** Owns the operation that notes that staff have taken the money for an order (`redis/operations/take.lua`). */
import type { Operation } from "../../redis/operation.ts";
import { encodeBarista, type Change } from "../outcomes.ts";
import { readPaymentChange, type PaymentOutcome } from "../payment.ts";

export const take: Operation<Change, PaymentOutcome, "order_id" | "barista"> = {
  name: "take",
  fields: ["order_id", "barista"],
  encode: ({ orderId, barista }) => ({ order_id: orderId, barista: encodeBarista(barista) }),
  decode: (outcome, rest) => readPaymentChange("taken", outcome, rest),
};
