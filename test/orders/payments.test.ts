/** Owns the tests of payments in scripts: which orders are paid for, and each change of a payment. */
import { describe, expect, test } from "bun:test";
import type { Payment } from "../../src/orders/payment.ts";
import { createShop } from "../../src/shop/settings.ts";
import { DEFAULT_QUEUE } from "../../src/orders/orders.ts";
import { attempt, authorise, LOOK_MS, openShop, paymentOf, statusOf, typesOf } from "../support/paid-orders.ts";

describe("what is paid for", () => {
  test("an order is unpaid: no barista can start it, and it holds its place at the door", async () => {
    await using shop = await openShop({ payment: "card", capacity: 1 });
    await shop.place(["a"]);
    expect(await statusOf(shop, "a")).toBe("unpaid");
    expect(await shop.start("Ada")).toBeNull();
    expect(await shop.orders.place({ orderId: "b", queue: DEFAULT_QUEUE, draft: {} })).toMatchObject({ why: "full" });
    expect(await paymentOf(shop, "a")).toMatchObject({
      payment_id: "a",
      status: "PAYMENT_PENDING",
      kind: "card",
      amount: 300,
      currency: "eur",
    });
    expect(await typesOf(shop)).toContain("order.unpaid");
  });

  test("nothing is paid where payment is off, nor a call of machines", async () => {
    await using shop = await openShop({ payment: "off" });
    await shop.declare();
    await shop.place(["a"]);
    await createShop(shop.redis, DEFAULT_QUEUE).change({ payment: "card" });
    await shop.call(["b"]);
    expect([await statusOf(shop, "a"), await statusOf(shop, "b")]).toEqual(["queued", "queued"]);
    expect([await paymentOf(shop, "a"), await paymentOf(shop, "b")]).toEqual([undefined, undefined]);
  });

  test("one that is scheduled is scheduled once it is paid", async () => {
    await using shop = await openShop({ payment: "card" });
    const not_before = new Date(Date.now() + 3_600_000).toISOString();
    await shop.orders.place({ orderId: "a", queue: DEFAULT_QUEUE, draft: { not_before } });
    expect(await statusOf(shop, "a")).toBe("unpaid");
    await attempt(shop, "a");
    await authorise(shop, "a");
    expect(await statusOf(shop, "a")).toBe("scheduled");
    await shop.comeDue("a");
    await shop.orders.expire();
    expect(await shop.start("Ada")).toBe("a");
  });

  test("a reservation is unpaid once its drink is chosen", async () => {
    await using shop = await openShop({ payment: "counter" });
    await shop.client.hset(shop.key("code"), { code: "CODE", remaining: 1, ends_at: Date.now() + 3_600_000 });
    await shop.orders.reserve({ orderId: "a", draft: { code: "CODE" } });
    const completed = await shop.orders.complete({ orderId: "a", queue: DEFAULT_QUEUE, completion: { item: "latte" } });
    expect(completed).toMatchObject({
      kind: "changed",
      order: { status: "unpaid", payment_kind: "counter", price: 400 },
    });
    expect(await paymentOf(shop, "a")).toMatchObject({ amount: 400 });
    await shop.orders.payments.take({ orderId: "a", barista: "Ada" });
    expect(await shop.start("Ada")).toBe("a");
  });
});

describe("a card", () => {
  test("is tried, refused, tried again, authorised: then the order is queued; and captured", async () => {
    await using shop = await openShop({ payment: "card" });
    await shop.place(["a", "b"]);
    expect(await attempt(shop, "a")).toMatchObject({ kind: "attempted", attempt: 1, intentId: "" });
    expect(await attempt(shop, "a")).toMatchObject({ kind: "joined" });
    expect(await attempt(shop, "a", "pm_2")).toEqual({ kind: "refused", why: "under_way" });
    const declined = { orderId: "a", attempt: 1, intentId: "pi_1", error: 'no "funds"' };
    expect(await shop.orders.payments.decline(declined)).toMatchObject({ kind: "changed" });
    expect(await shop.orders.payments.decline(declined)).toMatchObject({ kind: "changed" });
    expect(await paymentOf(shop, "a")).toMatchObject({ status: "PAYMENT_PENDING", error: 'no "funds"' });
    expect(await attempt(shop, "a", "pm_2")).toMatchObject({ kind: "attempted", attempt: 2, intentId: "pi_1" });
    expect(await authorise(shop, "a", { amount: 299 })).toEqual({ kind: "refused", why: "amount" });
    expect(await authorise(shop, "a")).toMatchObject({ kind: "changed" });
    expect(await authorise(shop, "a")).toMatchObject({ kind: "changed" });
    expect(await paymentOf(shop, "a")).toMatchObject({
      status: "PAYMENT_CREATED",
      capture_before: "2126-01-01T00:00:00.000Z",
    });
    expect(await attempt(shop, "a", "pm_3")).toEqual({ kind: "refused", why: "paid" });
    expect(await shop.start("Ada")).toBe("a");
    await shop.orders.finish({ orderId: "a" });
    expect(await shop.orders.payments.capture("a")).toMatchObject({ kind: "changed" });
    expect(await shop.orders.payments.capture("a")).toMatchObject({ kind: "changed" });
    expect(await paymentOf(shop, "a")).toMatchObject({ status: "PAYMENT_SUCCESSFUL" });
    expect(await statusOf(shop, "b")).toBe("unpaid");
    const types = await typesOf(shop);
    expect(types.filter((type) => type.startsWith("payment."))).toEqual([
      "payment.attempted",
      "payment.declined",
      "payment.attempted",
      "payment.authorised",
      "payment.captured",
    ]);
  });

  test("the queue goes by the time of placing, not of paying", async () => {
    await using shop = await openShop({ payment: "card" });
    await shop.place(["a", "b"]);
    await authorise(shop, "b");
    await authorise(shop, "a");
    expect([await shop.start("Ada"), await shop.start("Ada")]).toEqual(["a", "b"]);
  });

  test("the time to pay is over: cancelled; what was never tried has failed, what was tried is due to be freed", async () => {
    await using shop = await openShop({ payment: "card", payment_timeout_seconds: 1 });
    await shop.place(["a", "b"]);
    await attempt(shop, "b");
    for (const id of ["a", "b"]) await shop.client.zadd(shop.key("unpaid:default"), 1, id);
    expect(await attempt(shop, "a")).toEqual({ kind: "refused", why: "over" });
    expect(await shop.orders.expire()).toMatchObject({ cancelled: 2 });
    expect([await statusOf(shop, "a"), await statusOf(shop, "b")]).toEqual(["cancelled", "cancelled"]);
    expect(await paymentOf(shop, "a")).toMatchObject({ status: "PAYMENT_FAILED" });
    expect(await paymentOf(shop, "b")).toMatchObject({ status: "PAYMENT_PENDING", is_under_way: true });
    const due = await shop.orders.payments.takeDue({ leaseMs: LOOK_MS, againMs: LOOK_MS, most: 10 });
    expect(due.payments).toMatchObject([{ orderId: "b", orderStatus: "cancelled", method: "pm_1", attempt: 1 }]);
    expect(await shop.orders.payments.reverse({ orderId: "b" })).toMatchObject({ kind: "changed" });
    expect(await paymentOf(shop, "b")).toMatchObject({ status: "PAYMENT_FAILED" });
    expect((await shop.orders.payments.takeDue({ leaseMs: LOOK_MS, againMs: LOOK_MS, most: 10 })).payments).toEqual([]);
  });

  test("authorised too late it is due at once, and reversed", async () => {
    await using shop = await openShop({ payment: "card" });
    await shop.place(["a"]);
    await attempt(shop, "a");
    await shop.orders.cancel({ orderId: "a", canceller: "customer", reason: "customer" });
    expect(await authorise(shop, "a")).toMatchObject({ kind: "changed" });
    expect(await statusOf(shop, "a")).toBe("cancelled");
    const due = await shop.orders.payments.takeDue({ leaseMs: LOOK_MS, againMs: LOOK_MS, most: 10 });
    expect(due.payments).toMatchObject([{ orderId: "a", status: "PAYMENT_CREATED", intent: "pi_1" }]);
    await shop.orders.payments.reverse({ orderId: "a" });
    expect(await paymentOf(shop, "a")).toMatchObject({ status: "PAYMENT_REFUNDED", refunded_amount: 300 });
    expect(await shop.orders.payments.capture("a")).toEqual({ kind: "refused", why: "over" });
  });

  test("is refunded once, for a reason, by the provider", async () => {
    await using shop = await openShop({ payment: "card" });
    await shop.place(["a"]);
    await authorise(shop, "a");
    const refund = { orderId: "a", reason: "cold", barista: "Ada" };
    expect(await shop.orders.payments.refund(refund)).toEqual({ kind: "refused", why: "unpaid" });
    await shop.start("Ada");
    await shop.orders.finish({ orderId: "a" });
    await shop.orders.payments.capture("a");
    expect(await shop.orders.payments.refund(refund)).toMatchObject({ kind: "changed" });
    expect(await shop.orders.payments.refund({ ...refund, reason: "again" })).toMatchObject({ kind: "changed" });
    expect(await paymentOf(shop, "a")).toMatchObject({
      status: "PAYMENT_SUCCESSFUL",
      refund_reason: "cold",
      refunded_by: "Ada",
      refund_requested_at: expect.any(String) as unknown,
    });
    await shop.orders.payments.repay({ orderId: "a" });
    await shop.orders.payments.repay({ orderId: "a" });
    expect(await paymentOf(shop, "a")).toMatchObject({ status: "PAYMENT_REFUNDED", refunded_amount: 300 });
    expect((await typesOf(shop)).filter((type) => type === "payment.refunded")).toHaveLength(1);
  });
});

describe("at the counter", () => {
  test("staff take the money, and give it back once the order is over", async () => {
    await using shop = await openShop({ payment: "counter" });
    await shop.place(["a"]);
    expect(await attempt(shop, "a")).toEqual({ kind: "refused", why: "counter" });
    const take = { orderId: "a", barista: "Ada" };
    expect(await shop.orders.payments.take(take)).toMatchObject({ kind: "changed" });
    expect(await shop.orders.payments.take(take)).toMatchObject({ kind: "changed" });
    expect(await paymentOf(shop, "a")).toMatchObject({ status: "PAYMENT_SUCCESSFUL", taken_by: "Ada" });
    expect(await statusOf(shop, "a")).toBe("queued");
    const refund = { orderId: "a", reason: "no milk" };
    expect(await shop.orders.payments.refund(refund)).toEqual({ kind: "refused", why: "open" });
    await shop.orders.cancel({ orderId: "a", canceller: "barista", reason: "barista" });
    expect(await shop.orders.payments.refund(refund)).toMatchObject({ kind: "changed" });
    expect(await paymentOf(shop, "a")).toMatchObject({ status: "PAYMENT_REFUNDED", refunded_amount: 300 });
  });

  test("an order that was cancelled is not paid", async () => {
    await using shop = await openShop({ payment: "counter" });
    await shop.place(["a"]);
    await shop.orders.cancel({ orderId: "a", canceller: "customer", reason: "customer" });
    expect(await paymentOf(shop, "a")).toMatchObject({ status: "PAYMENT_FAILED" });
    expect(await shop.orders.payments.take({ orderId: "a" })).toEqual({ kind: "refused", why: "over" });
  });
});

describe("what is kept", () => {
  test("payments are searched by day and status, a page at a time", async () => {
    await using shop = await openShop({ payment: "counter" });
    await shop.place(["a", "b", "c"]);
    await shop.orders.payments.take({ orderId: "b" });
    const search = (own: object) =>
      shop.orders.payments.search({ fromMs: 0, beforeMs: Date.now() + 60_000, limit: 2, ...own });
    const first = await search({});
    if (first.kind !== "page") throw new Error(first.kind);
    expect(first.payments.map((payment) => (JSON.parse(payment) as Payment).payment_id)).toEqual(["a", "b"]);
    expect(first.cursor).toBe("b");
    const second = await search({ cursor: "b" });
    expect(second).toMatchObject({ kind: "page" });
    expect(second).not.toHaveProperty("cursor");
    const taken = await search({ status: "PAYMENT_SUCCESSFUL" });
    expect(taken.kind === "page" && taken.payments).toHaveLength(1);
    expect(await search({ cursor: "z" })).toEqual({ kind: "cursor_gone" });
    expect(await search({ beforeMs: 1 })).toEqual({ kind: "page", payments: [] });
  });

  test("a payment that can't be read is its order's fault alone", async () => {
    await using shop = await openShop({ payment: "counter" });
    await shop.place(["a", "b"]);
    await shop.client.set(shop.key("payment:a"), "garbage");
    expect(await shop.orders.payments.find("a")).toEqual({ kind: "damaged" });
    expect(await shop.orders.payments.take({ orderId: "a" })).toEqual({ kind: "damaged" });
    expect(await statusOf(shop, "a")).toBe("unpaid");
    expect(await shop.orders.payments.take({ orderId: "b" })).toMatchObject({ kind: "changed" });
  });

  test("a settled payment goes with its order, an open one stays", async () => {
    await using shop = await openShop({ payment: "card" });
    await shop.place(["a", "b"]);
    await authorise(shop, "b");
    await shop.orders.cancel({ orderId: "a", canceller: "customer", reason: "customer" });
    for (const id of ["a", "b"]) {
      await shop.client.del(shop.key(`order:${id}`));
      for (const index of ["orders", "payments"]) await shop.client.zadd(shop.key(index), 1, id);
    }
    await shop.orders.forget("");
    expect(await shop.orders.payments.find("a")).toEqual({ kind: "unknown" });
    expect(await shop.orders.payments.find("b")).toMatchObject({ kind: "found" });
    const due = async () => await shop.orders.payments.takeDue({ leaseMs: 1, againMs: 1, most: 10 });
    await shop.orders.payments.putOff(["b"], 0);
    expect((await due()).payments).toMatchObject([{ orderId: "b", status: "PAYMENT_CREATED" }]);
  });

  test("open orders are counted right, and mending finds nothing to mend", async () => {
    await using shop = await openShop({ payment: "card" });
    await shop.place(["a", "b", "c"]);
    await authorise(shop, "b");
    await shop.orders.cancel({ orderId: "c", canceller: "customer", reason: "customer" });
    const inspection = await shop.orders.inspect(10);
    expect(inspection).toEqual({ keys: [], orders: [], unevenQueues: [] });
    expect((await createShop(shop.redis, DEFAULT_QUEUE).read()).openOrders).toBe(2);
    expect(await shop.orders.mend(DEFAULT_QUEUE)).toEqual({ dropped: 0, restored: 0 });
  });
});
