/** Owns the tests of what the operations of payments refuse: what a state does not allow. */
import { describe, expect, test } from "bun:test";
import { createOrders } from "../../src/orders/orders.ts";
import { ORDER_SETTINGS, type TestOrders } from "../support/orders.ts";
import { attempt, authorise, openShop, paymentOf, statusOf } from "../support/paid-orders.ts";

const LAPSED = "it lapsed";

describe("what is held for an order that goes on", () => {
  test("is neither captured nor reversed", async () => {
    await using shop = await openShop({ payment: "card" });
    await shop.place(["a", "b"]);
    const { payments } = shop.orders;
    await attempt(shop, "b");
    expect(await payments.reverse({ orderId: "b" })).toEqual({ kind: "refused", why: "open" });
    expect(await payments.reverse({ orderId: "b", error: LAPSED })).toEqual({ kind: "refused", why: "open" });
    await authorise(shop, "a");
    for (const status of ["queued", "brewing"]) {
      expect(await statusOf(shop, "a")).toBe(status);
      expect(await payments.capture("a")).toEqual({ kind: "refused", why: "open" });
      expect(await payments.reverse({ orderId: "a" })).toEqual({ kind: "refused", why: "open" });
      expect(await payments.reverse({ orderId: "a", error: LAPSED })).toEqual({ kind: "refused", why: "open" });
      await shop.start("Ada");
    }
    await shop.orders.finish({ orderId: "a" });
    expect(await payments.reverse({ orderId: "a" })).toEqual({ kind: "refused", why: "open" });
    expect(await paymentOf(shop, "a")).toMatchObject({ status: "PAYMENT_CREATED" });
    expect(await payments.reverse({ orderId: "a", error: LAPSED })).toMatchObject({ kind: "changed" });
    expect(await paymentOf(shop, "a")).toMatchObject({ status: "PAYMENT_FAILED", error: LAPSED });
  });

  test("is not captured once the order is cancelled", async () => {
    await using shop = await openShop({ payment: "card" });
    await shop.place(["a"]);
    await authorise(shop, "a");
    await shop.orders.cancel({ orderId: "a", canceller: "barista", reason: "barista" });
    expect(await shop.orders.payments.capture("a")).toEqual({ kind: "refused", why: "over" });
    expect(await shop.orders.payments.reverse({ orderId: "a" })).toMatchObject({ kind: "changed" });
  });
});

test("more than ten cards are not tried for one order, and its eleventh holds nothing", async () => {
  await using shop = await openShop({ payment: "card" });
  await shop.place(["a"]);
  for (let tried = 1; tried <= 10; tried += 1) {
    expect(await attempt(shop, "a", `pm_${tried}`)).toMatchObject({ kind: "attempted", attempt: tried });
    await shop.orders.payments.decline({ orderId: "a", attempt: tried, intentId: "pi_1", error: "no" });
  }
  expect(await attempt(shop, "a", "pm_11")).toEqual({ kind: "refused", why: "tries" });
  expect(await paymentOf(shop, "a")).toMatchObject({ status: "PAYMENT_PENDING", error: "no" });
  expect(await shop.orders.payments.putOff(["a"], 0)).toBe(0);
});

test("no card pays for an order at the counter", async () => {
  await using shop = await openShop({ payment: "counter" });
  await shop.place(["a"]);
  expect(await authorise(shop, "a")).toEqual({ kind: "refused", why: "over" });
  expect(await statusOf(shop, "a")).toBe("unpaid");
});

test("an order that was paid for, and died, is made again without a payment", async () => {
  await using shop = await openShop({ payment: "counter" });
  await shop.place(["a"], { draft: { note: '"payment_kind":"card",' } });
  await shop.orders.payments.take({ orderId: "a" });
  await shop.start("Ada");
  await shop.orders.fail({ orderId: "a", error: "no milk", retry: false, retryAfterMs: 0 });
  const retried = await shop.orders.retry({ orderId: "a", newId: "b" });
  expect(retried).toMatchObject({
    order: { status: "queued", price: 300, note: '"payment_kind":"card",', retry_of: "a" },
  });
  expect(retried).not.toHaveProperty("order.payment_kind");
  expect(await paymentOf(shop, "b")).toBeUndefined();
});

test("an unpaid order whose time has come is queued by nothing but its payment", async () => {
  await using shop = await openShop({ payment: "card" });
  const not_before = new Date(Date.now() + 3_600_000).toISOString();
  await shop.place(["a"], { draft: { not_before } });
  const record = (await shop.client.get(shop.key("order:a"))) ?? "";
  await shop.client.set(shop.key("order:a"), record.replace(`\n${Date.parse(not_before)}\n`, "\n1\n"));
  // A sweeper that has read of it when it was scheduled.
  const run: TestOrders["redis"]["run"] = async (script, args) => {
    const reply = await shop.redis.run(script, args);
    return script.name === "due-orders" ? [-1, 0, "a"] : reply;
  };
  const stale = createOrders({ run, runWhenReconnected: shop.redis.runWhenReconnected }, ORDER_SETTINGS);
  await stale.expire();
  stale.close();
  expect(await statusOf(shop, "a")).toBe("unpaid");
});
