/** Owns how tests of payments open a shop that takes money, and what they ask of its payments. */
import type { Payment } from "../../src/orders/payment.ts";
import { DEFAULT_QUEUE } from "../../src/orders/orders.ts";
import { createShop, type ShopPatch } from "../../src/shop/settings.ts";
import { TestOrders } from "./orders.ts";

export const LOOK_MS = 60_000;

export async function openShop(patch: ShopPatch): Promise<TestOrders> {
  const shop = await TestOrders.open();
  await createShop(shop.redis, DEFAULT_QUEUE).change(patch);
  return shop;
}

export async function paymentOf({ orders }: TestOrders, orderId: string): Promise<Payment | undefined> {
  const found = await orders.payments.find(orderId);
  return found.kind === "found" ? (JSON.parse(found.payment) as Payment) : undefined;
}

export async function statusOf({ orders }: TestOrders, orderId: string): Promise<string> {
  const found = await orders.find(orderId);
  return found.kind === "found" ? found.status : found.kind;
}

export const authorise = ({ orders }: TestOrders, orderId: string, own = {}) =>
  orders.payments.authorise({
    orderId,
    intentId: "pi_1",
    amount: 300,
    captureBeforeMs: Date.parse("2126-01-01T00:00:00Z"),
    lookMs: LOOK_MS,
    ...own,
  });
export const attempt = ({ orders }: TestOrders, orderId: string, method = "pm_1") =>
  orders.payments.attempt({ orderId, method, lookMs: LOOK_MS });

export const typesOf = async (shop: TestOrders): Promise<string[]> => {
  const entries = await shop.client.xrange(shop.key("events"), "-", "+");
  return entries.flatMap(([, fields]) => fields.filter((_, at) => at % 2 === 0));
};
