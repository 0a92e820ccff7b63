/** Owns the tests of dead-orders.lua: the list of orders that could not be made. */
import { expect, test } from "bun:test";
import { QUEUE_RULES, TestOrders } from "../support/orders.ts";

const { name: queue } = QUEUE_RULES;

/** Dead letters of two queues, from A (the oldest) to F. */
async function openDead(): Promise<TestOrders> {
  const shop = await TestOrders.open();
  await shop.declare();
  const ids = ["A", "B", "C", "D", "E", "F"];
  for (const id of ids) await (id < "D" ? shop.place([id]) : shop.call([id]));
  for (const id of ids) {
    const reason = id === "B" || id === "E" ? "barista_timeout" : "machine_error";
    await shop.orders.cancel({ orderId: id, canceller: "barista", reason });
  }
  for (const [index, id] of ids.entries()) await shop.client.zadd(shop.key("dead"), index + 1, id);
  return shop;
}

async function page(shop: TestOrders, own: Partial<Parameters<TestOrders["orders"]["dead"]>[0]> = {}) {
  const found = await shop.orders.dead({ limit: 10, ...own });
  return found.kind === "page" ? [found.orders.map(({ order_id }) => order_id).join(""), found.cursor] : found.kind;
}

test("orders that failed, or whose leases ran out too often, are listed, the newest first", async () => {
  await using shop = await TestOrders.open();
  const orders = shop.ordersWith({ maxAttempts: 1 });
  await shop.place(["A", "B", "C", "D"]);
  await shop.startAndLoseLease("Grace");
  expect(await orders.expire()).toMatchObject({ cancelled: 1 });
  await shop.start("Grace");
  await orders.fail({ orderId: "B", error: "no", retry: true, retryAfterMs: 0 });
  await shop.orders.cancel({ orderId: "C", canceller: "customer", reason: "customer" });
  await shop.start("Grace");
  await shop.orders.finish({ orderId: "D" });
  const found = await shop.orders.dead({ limit: 10 });
  expect(found).toMatchObject({
    kind: "page",
    orders: [
      { order_id: "B", reason: "machine_error", error: "no" },
      { order_id: "A", reason: "barista_timeout" },
    ],
  });
  expect(found).not.toHaveProperty("cursor");
});

test("by queue, by reason, and by both", async () => {
  await using shop = await openDead();
  expect(await page(shop)).toEqual(["FEDCBA", undefined]);
  expect(await page(shop, { queue })).toEqual(["FED", undefined]);
  expect(await page(shop, { queue: "default" })).toEqual(["CBA", undefined]);
  expect(await page(shop, { reason: "barista_timeout" })).toEqual(["EB", undefined]);
  expect(await page(shop, { reason: "machine_error", queue })).toEqual(["FD", undefined]);
  expect(await page(shop, { queue: "mail" })).toEqual(["", undefined]);
});

test("in pages, each of which goes on where the one before ended", async () => {
  await using shop = await openDead();
  expect(await page(shop, { limit: 4 })).toEqual(["FEDC", "C"]);
  expect(await page(shop, { limit: 4, cursor: "C" })).toEqual(["BA", undefined]);
  expect(await page(shop, { limit: 6 })).toEqual(["FEDCBA", undefined]);
  expect(await page(shop, { limit: 1, queue, cursor: "F" })).toEqual(["E", "E"]);
  await shop.orders.retry({ orderId: "C", newId: "G" });
  expect(await page(shop, { limit: 4, cursor: "C" })).toBe("cursor_gone");
});

test("one that is gone or damaged is left out, and nothing is said of it but where the damaged ones are", async () => {
  await using shop = await openDead();
  await shop.client.del(shop.key("order:F"));
  await shop.client.set(shop.key("order:D"), "garbage");
  expect(await page(shop)).toEqual(["ECBA", undefined]);
  expect(await shop.orders.inspect(10)).toMatchObject({ orders: [{ orderId: "D" }] });
});

test("a call looks at a bounded number of them, and says where to go on", async () => {
  await using shop = await openDead();
  const gone = Array.from({ length: 1100 }, (_, index) => [10 + index, `gone-${index}`]).flat();
  await shop.client.zadd(shop.key("dead"), ...gone);
  expect(await page(shop)).toEqual(["", "gone-100"]);
  expect(await page(shop, { cursor: "gone-100" })).toEqual(["FEDCBA", undefined]);
});

test("the list keeps the newest ten thousand; the records of others stay", async () => {
  await using shop = await TestOrders.open();
  const older = Array.from({ length: 9999 }, (_, index) => [index, `older-${index}`]).flat();
  await shop.client.zadd(shop.key("dead"), ...older);
  await shop.place(["A", "B"]);
  for (const orderId of ["A", "B"])
    await shop.orders.cancel({ orderId, canceller: "barista", reason: "machine_error" });
  expect(await shop.client.zcard(shop.key("dead"))).toBe(10_000);
  expect(await shop.client.zscore(shop.key("dead"), "older-0")).toBeNull();
  expect(await page(shop, { limit: 2 })).toContain("BA");
});

test("where the list is damaged, orders die as ever", async () => {
  await using shop = await TestOrders.open();
  await shop.client.set(shop.key("dead"), "of another type");
  await shop.place(["A"]);
  const cancelled = await shop.orders.cancel({ orderId: "A", canceller: "barista", reason: "machine_error" });
  expect(cancelled).toMatchObject({ kind: "changed" });
  expect(await shop.orders.inspect(10)).toMatchObject({ keys: [{ key: shop.key("dead"), expectedType: "zset" }] });
  expect(await shop.orders.retry({ orderId: "A", newId: "B" })).toMatchObject({ kind: "retried" });
});
