/** Owns the operation that notes that the amount held for an order was taken (`redis/operations/capture.lua`). */
import type { Operation } from "../../redis/operation.ts";
import { readPaymentChange, type PaymentOutcome } from "../payment.ts";

export const capture: Operation<string, PaymentOutcome, "order_id"> = {
  name: "capture",
  fields: ["order_id"],
  encode: (orderId) => ({ order_id: orderId }),
  decode: (outcome, rest) => readPaymentChange("captured", outcome, rest),
};
