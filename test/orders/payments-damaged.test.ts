/** Owns the tests of what becomes of payments, and their orders, where what is stored of them is damaged. */
import { describe, expect, test } from "bun:test";
import type { TestOrders } from "../support/orders.ts";
import { spoil } from "../support/damage.ts";
import { attempt, authorise, LOOK_MS, openShop, paymentOf, statusOf } from "../support/paid-orders.ts";

const NOTHING = { keys: [], orders: [], unevenQueues: [] };
const TAKING = { leaseMs: LOOK_MS, againMs: LOOK_MS, most: 10 };

const cancel = ({ orders }: TestOrders, orderId: string) =>
  orders.cancel({ orderId, canceller: "customer", reason: "customer" });

/** Ways in which a payment can be damaged. */
const DAMAGES: readonly (readonly [string, (shop: TestOrders, key: string) => Promise<unknown>])[] = [
  ["garbage", ({ client }, key) => client.set(key, "garbage")],
  ["nothing", ({ client }, key) => client.set(key, "")],
  ["a list", ({ client }, key) => client.del(key).then(() => client.rpush(key, "{}"))],
  ["JSON that is no object", ({ client }, key) => client.set(key, "[1]")],
  ["an amount that is none", (shop, key) => garble(shop, key, { amount: "300" })],
  ["a status that is none", (shop, key) => garble(shop, key, { status: "paid" })],
  ["no kind", (shop, key) => garble(shop, key, { kind: null })],
];

async function garble({ client }: TestOrders, key: string, members: object): Promise<void> {
  const payment = JSON.parse((await client.get(key)) ?? "") as object;
  await client.set(key, JSON.stringify({ ...payment, ...members }));
}

describe.each(DAMAGES)("a payment that is %s", (_what, harm) => {
  test("fails what names it, keeps no order from its end, and is looked at once it is put right", async () => {
    await using shop = await openShop({ payment: "card" });
    await shop.place(["a", "b"]);
    await attempt(shop, "a");
    const key = shop.key("payment:a");
    const kept = (await shop.client.get(key)) ?? "";
    await harm(shop, key);
    const { payments } = shop.orders;
    const damaged = { kind: "damaged" } as const;
    expect([
      await payments.find("a"),
      await attempt(shop, "a"),
      await payments.decline({ orderId: "a", attempt: 1, intentId: "", error: "no" }),
      await authorise(shop, "a"),
      await payments.take({ orderId: "a" }),
      await payments.capture("a"),
      await payments.reverse({ orderId: "a" }),
      await payments.refund({ orderId: "a", reason: "cold" }),
      await payments.repay({ orderId: "a" }),
    ]).toEqual(Array.from({ length: 9 }, () => damaged));
    expect(await shop.orders.inspect(10)).toMatchObject({
      orders: [{ orderId: "a", reason: "its payment is garbled" }],
    });
    expect(await statusOf(shop, "a")).toBe("unpaid");
    expect(await authorise(shop, "b")).toMatchObject({ kind: "changed" });
    expect(await cancel(shop, "a")).toMatchObject({ kind: "changed" });
    expect((await payments.takeDue(TAKING)).payments).toEqual([]);
    expect(await shop.orders.inspect(10)).toMatchObject({ keys: [], orders: [{ orderId: "a" }], unevenQueues: [] });

    await shop.client.del(key);
    await shop.client.set(key, kept);
    expect(await shop.orders.inspect(10)).toEqual(NOTHING);
    expect(await payments.putOff(["a"], 0)).toBe(1);
    expect((await payments.takeDue(TAKING)).payments).toMatchObject([{ orderId: "a", orderStatus: "cancelled" }]);
    expect(await payments.reverse({ orderId: "a" })).toMatchObject({ kind: "changed" });
  });
});

test("a payment is not damaged by its order's record: nothing is moved until that is put right", async () => {
  await using shop = await openShop({ payment: "card" });
  await shop.place(["a"]);
  await authorise(shop, "a");
  const putRight = await spoil(shop.client, shop.key("order:a"));
  const { payments } = shop.orders;
  await payments.putOff(["a"], 0);
  expect((await payments.takeDue(TAKING)).payments).toEqual([]);
  expect(await payments.capture("a")).toEqual({ kind: "damaged" });
  expect(await paymentOf(shop, "a")).toMatchObject({ status: "PAYMENT_CREATED" });
  await putRight();
  expect(await shop.orders.inspect(10)).toMatchObject({ orders: [] });
  await cancel(shop, "a");
  await payments.putOff(["a"], 0);
  expect((await payments.takeDue(TAKING)).payments).toMatchObject([{ orderId: "a", orderStatus: "cancelled" }]);
});

test("while what is to be looked at can't be kept, no payment changes, and none is lost", async () => {
  await using shop = await openShop({ payment: "card" });
  await shop.place(["a", "b", "c"]);
  for (const id of ["a", "b"]) await attempt(shop, id);
  await cancel(shop, "a");
  const before = await shop.state();
  const putRight = await spoil(shop.client, shop.key("payments:open"));
  const failed = await Promise.allSettled([
    cancel(shop, "b"),
    authorise(shop, "a"),
    authorise(shop, "b"),
    attempt(shop, "c"),
    shop.place(["d"]),
  ]);
  expect(failed.map(({ status }) => status)).toEqual(Array.from({ length: 5 }, () => "rejected"));
  expect((await shop.orders.inspect(10)).keys).toMatchObject([{ type: "string", expectedType: "zset" }]);
  await putRight();
  expect(await shop.state()).toEqual(before);
  expect(await authorise(shop, "b")).toMatchObject({ kind: "changed" });
});

test("what is to be looked at comes back, once the order of an open payment is gone", async () => {
  await using shop = await openShop({ payment: "card" });
  await shop.place(["a", "b"]);
  for (const id of ["a", "b"]) await authorise(shop, id);
  await shop.client.del(shop.key("payments:open"), shop.key("order:a"));
  await shop.client.zadd(shop.key("payments"), 1, "a", 2, "b");
  await shop.orders.forget("");
  expect((await shop.orders.payments.takeDue(TAKING)).payments).toMatchObject([{ orderId: "a", intent: "pi_1" }]);
});

test("one that can't be read outlives its order, and is named", async () => {
  await using shop = await openShop({ payment: "card" });
  await shop.place(["a"]);
  await shop.orders.cancel({ orderId: "a", canceller: "customer", reason: "customer" });
  const kept = (await shop.client.get(shop.key("payment:a"))) ?? "";
  await shop.client.set(shop.key("payment:a"), "garbage");
  await shop.client.del(shop.key("order:a"));
  for (const index of ["orders", "payments"]) await shop.client.zadd(shop.key(index), 1, "a");
  await shop.orders.forget("");
  expect((await shop.orders.payments.takeDue(TAKING)).payments).toEqual([]);
  expect(await shop.orders.inspect(10)).toMatchObject({ orders: [{ orderId: "a", reason: "its payment is garbled" }] });
  await shop.client.set(shop.key("payment:a"), kept);
  expect(await shop.orders.inspect(10)).toEqual(NOTHING);
  await shop.orders.forget("");
  expect(await shop.orders.payments.find("a")).toEqual({ kind: "unknown" });
});

test("each key of payments is named where it holds another type, and what needs none goes on", async () => {
  await using shop = await openShop({ payment: "counter" });
  await shop.place(["a", "b"]);
  await shop.orders.payments.take({ orderId: "a" });
  const names = ["payments", "payments:open", "unpaid:default"];
  const putRight = await Promise.all(names.map((name) => spoil(shop.client, shop.key(name))));
  const { keys } = await shop.orders.inspect(10);
  expect(keys.map(({ key }) => key.slice(shop.prefix.length)).toSorted()).toEqual(names);
  expect(keys.every(({ type, expectedType }) => type === "string" && expectedType === "zset")).toBe(true);
  expect(await paymentOf(shop, "b")).toMatchObject({ status: "PAYMENT_PENDING" });
  expect(await shop.start("Ada")).toBe("a");
  expect(await shop.orders.finish({ orderId: "a" })).toMatchObject({ kind: "changed" });
  for (const mend of putRight) await mend();
  expect(await shop.orders.inspect(10)).toEqual(NOTHING);
  expect(await shop.orders.payments.take({ orderId: "b" })).toMatchObject({ kind: "changed" });
});
