/**
 * Owns how staff read the states of an order, and why one was cancelled.
 *
 * **Invariants**
 * - A state is never said by a colour alone.
 */
import type { Order, Status } from "../../../orders/order.ts";

export const STATE_WORDS: Readonly<Record<Status, string>> = {
  reserved: "Choosing",
  unpaid: "To be paid",
  scheduled: "For later",
  queued: "Waiting",
  brewing: "Being made",
  ready: "Ready",
  cancelled: "Cancelled",
};

export const STATE_TONES: Readonly<Record<Status, "good" | "warn" | "bad" | "">> = {
  reserved: "",
  unpaid: "warn",
  scheduled: "",
  queued: "",
  brewing: "warn",
  ready: "good",
  cancelled: "bad",
};

const REASON_WORDS: Readonly<Record<NonNullable<Order["reason"]>, string>> = {
  customer: "by its customer",
  barista: "by a barista",
  customer_timeout: "its customer did not come",
  barista_timeout: "it was not finished in time",
  payment_failed: "it was not paid",
  machine_error: "it could not be made",
  lost: "the storage lost it",
};

/** Why it was cancelled; empty where it was not. */
export function sayReason({ reason }: Pick<Order, "reason">): string {
  return reason === undefined ? "" : (REASON_WORDS[reason] ?? reason.replaceAll("_", " "));
}
