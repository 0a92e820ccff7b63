/** Owns the calls of the customer page to the customers' port. */
import { pathOf } from "../../client/orders.ts";
import type { Completion, Draft, Order, ReservationDraft } from "../../orders/order.ts";
import type { CoffeeList } from "../../shop/menu.ts";
import type { Payment } from "../../orders/payment.ts";
import type { ShopView } from "../../shop/settings.ts";
import { call, createSend, type Answer, type Call } from "../shared/call.ts";
import { createShopClock } from "../shared/clock.ts";
import { paymentPathOf } from "../shared/payments.ts";
import { openEvents } from "../shared/sse.ts";

/** The shop's time, as its answers show it. */
export const clock = createShopClock();

const send = createSend({ clock });

const ask = <Value>(path: string, options?: Call): Promise<Answer<Value>> => call(send, path, options);

export const menu = () => ask<CoffeeList>("/coffees");

export const shop = () => ask<ShopView>("/shop");

/** Places an order without waiting for it. The same `key` with the same draft gets the order first placed under it. */
export const place = (draft: Draft, key: string) =>
  ask<Order>("/order/", {
    method: "POST",
    json: draft,
    headers: { "Idempotency-Key": key, Prefer: "respond-async" },
  });

/** Redeems a code: the order is the customer's, and waits for their choice. */
export const reserve = (draft: ReservationDraft, key: string) =>
  ask<Order>("/reservation", { method: "POST", json: draft, headers: { "Idempotency-Key": key } });

/** Chooses for a reservation. */
export const complete = (orderId: string, choice: Completion) =>
  ask<Order>(pathOf(orderId), { method: "PUT", json: choice });

export const find = (orderId: string) => ask<Order>(pathOf(orderId));

export const cancel = (orderId: string) =>
  ask<Order>(pathOf(orderId), { method: "PATCH", json: { status: "cancelled" } });

export const findPayment = (orderId: string) => ask<Payment>(paymentPathOf(orderId));

/** Pays an order with a card, as the provider names it. Asked again it takes nothing more. */
export const pay = (orderId: string, method: string) =>
  ask<Payment>("/payment", { method: "POST", json: { order_id: orderId, method } });

/** An order's events, from now or after the last one heard. */
export const listen = (orderId: string, lastEventId: string | undefined, signal: AbortSignal) =>
  openEvents(send, `${pathOf(orderId)}/events`, { lastEventId, signal });
