/**
 * Owns what the page says of money: of an order that was paid, and of what comes back.
 *
 * **Invariants**
 * - It says where the money is, and what the customer has to do for it.
 */
import type { Order } from "../../orders/order.ts";
import type { Payment } from "../../orders/payment.ts";
import { formatPrice } from "../shared/money.ts";

/** Where the money of an order is that is not to be paid (any more); undefined: there is nothing to say, or not yet. */
export function sayMoney(order: Order, payment: Payment | undefined, currency: string | undefined): string | undefined {
  const price = formatPrice(order.price ?? 0, payment?.currency ?? currency);
  if (order.payment_kind === undefined || order.status === "unpaid") return undefined;
  if (payment?.status === "PAYMENT_SUCCESSFUL" && payment.refund_reason !== undefined) {
    return `${price} is on its way back to your card.`;
  }
  if (payment?.status === "PAYMENT_REFUNDED") return sayRefunded(payment, price);
  if (order.status === "cancelled") return payment && sayCancelled(order, payment, price);
  if (payment?.status === "PAYMENT_FAILED") return "Your card was not charged.";
  if (order.payment_kind === "counter") return `Paid: ${price}`;
  return order.status === "ready"
    ? `Paid by card: ${price}`
    : `${price} is held on your card, and taken when your drink is ready.`;
}

function sayRefunded({ kind, captured_at }: Payment, price: string): string {
  if (kind === "counter") return `${price} was given back to you.`;
  return captured_at === undefined
    ? `Your money is given back: ${price} is no longer held on your card.`
    : `Your money is given back: ${price} goes to your card.`;
}

function sayCancelled(order: Order, { status, kind }: Payment, price: string): string | undefined {
  switch (status) {
    case "PAYMENT_PENDING":
    case "PAYMENT_FAILED":
      // The reason says it.
      return order.reason === "payment_failed" ? undefined : "Nothing was taken.";
    case "PAYMENT_CREATED":
      return `Nothing is taken: the ${price} held on your card is being given back.`;
    case "PAYMENT_SUCCESSFUL":
      return kind === "counter" ? `Get your ${price} back at the counter.` : `${price} is being given back.`;
    case "PAYMENT_REFUNDED":
      return undefined;
  }
}

/** What becomes of the money when the customer cancels now; "" where nothing is paid. */
export function sayCancelling({ payment_kind: kind, status }: Order): string {
  if (kind === undefined) return "";
  if (status === "unpaid") return "Nothing was taken.";
  return kind === "card" ? "Your money is given back." : "Get your money back at the counter.";
}
