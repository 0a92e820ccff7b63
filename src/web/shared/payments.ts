/**
 * Owns how pages read payments: out of events, and how far one is.
 *
 * **Invariants**
 * - A page says of money only what the shop said of it.
 */
import type { Payment } from "../../orders/payment.ts";
import { isRecord } from "../../client/problem.ts";

/** The path of a payment on both ports. */
export const paymentPathOf = (orderId: string): string => `/payment/${encodeURIComponent(orderId)}`;

/** An event of a payment shows its order, and in that the payment: both apart. */
export function partPayment(data: object): { readonly order: object; readonly payment: Payment | undefined } {
  const { payment, ...order } = data as { readonly payment?: unknown };
  return { order, payment: isRecord(payment) ? (payment as Payment) : undefined };
}

/** Whether nothing will change of it any more. */
export function isSettled({ status }: Payment): boolean {
  return status === "PAYMENT_FAILED" || status === "PAYMENT_REFUNDED";
}
