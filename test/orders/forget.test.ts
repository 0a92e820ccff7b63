/** Owns the tests of forget-orders.lua. */
import { expect, test } from "bun:test";
import { TestOrders } from "../support/orders.ts";

test("orders whose time is over are dropped from the index, and those that are still kept are passed over", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A", "B", "C", "D"]);
  await shop.client.del(shop.key("order:A"), shop.key("order:C"));
  // Nothing is old enough to be looked at.
  expect(await shop.changes(async () => expect(await shop.orders.forget("")).toEqual({ next: "" }))).toEqual({});
  const { forget } = shop.ordersWith({ retentionHours: 0 });
  const changes = await shop.changes(async () => expect(await forget("")).toEqual({ next: "" }));
  expect(changes).toEqual({ orders: "zset: A time, B time, C time, D time → zset: B time, D time" });
});

test("a call says that there is more than it looks at, and the next call goes on behind the kept ones", async () => {
  await using shop = await TestOrders.open();
  const ids = Array.from({ length: 1100 }, (_, index) => `order-${String(index).padStart(4, "0")}`);
  await Promise.all(ids.map((orderId) => shop.orders.place({ orderId, queue: "default", draft: {} })));
  // Of the first 500 every second one is gone, and all from 900 on.
  const gone = ids.filter((_, index) => (index < 500 ? index % 2 === 0 : index >= 900));
  await shop.client.del(...gone.map((id) => shop.key(`order:${id}`)));
  const { forget } = shop.ordersWith({ retentionHours: 0 });
  const name = shop.key("orders");
  expect(await forget("")).toEqual({ next: `250 ${name}` });
  expect(await forget(`250 ${name}`)).toEqual({ next: `650 ${name}` });
  expect(await forget(`650 ${name}`)).toEqual({ next: "" });
  expect(await shop.client.zrange(shop.key("orders"), 0, "-1")).toEqual(ids.filter((id) => !gone.includes(id)));
});

test("servers that gave an order out lately stay", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A", "B"]);
  await shop.start("Grace");
  await shop.start("Linus", { orders: shop.ordersWith({}) });
  await shop.orders.finish({ orderId: "A" });
  expect(await shop.changes(() => shop.orders.forget(""))).toEqual({});
  expect(await shop.state()).toMatchObject({ "queue:default.consumers": "a replica, a replica" });
});

test("a shop that never had an order has nothing to forget", async () => {
  await using shop = await TestOrders.open();
  expect(await shop.changes(async () => expect(await shop.orders.forget("")).toEqual({ next: "" }))).toEqual({});
});

const HOUR_MS = 3_600_000;

/** Forgets all that is to be forgotten, and says how many calls that took. */
async function forgetAll(shop: TestOrders): Promise<number> {
  let calls = 0;
  let next = "";
  do {
    ({ next } = await shop.orders.forget(next));
    calls += 1;
  } while (next !== "");
  return calls;
}

test("calls are forgotten after their queue's retention, with their labels; open ones are passed over", async () => {
  await using shop = await TestOrders.open();
  await shop.declare({ retentionSeconds: 60 });
  await shop.call(["A", "B", "C", "D"], { label: "doc-1" });
  await shop.call(["E"]);
  await shop.client.del(shop.key("order:A"), shop.key("order:C"), shop.key("order:E"));
  const calls = shop.key("calls:thumbs");
  for (const id of ["A", "B", "C"]) await shop.client.zincrby(calls, -HOUR_MS, id);
  const changes = await shop.changes(async () => expect(await forgetAll(shop)).toBe(1));
  expect(changes).toEqual({
    // (D and E are too young to be looked at.)
    "calls:thumbs": "zset: A time, B time, C time, D time, E time → zset: B time, D time, E time",
    "calls:labels:thumbs": "zset: doc-1 1 A 0, doc-1 2 B 0, doc-1 3 C 0, doc-1 4 D 0 → zset: doc-1 2 B 0, doc-1 4 D 0",
    "calls:numbers:thumbs": "zset: A doc-1 1, B doc-1 2, C doc-1 3, D doc-1 4 → zset: B doc-1 2, D doc-1 4",
  });
});

test("dead letters whose record is gone leave the list, wherever they stand", async () => {
  await using shop = await TestOrders.open();
  await shop.declare();
  await shop.place(["A", "B"]);
  for (const orderId of ["A", "B"])
    await shop.orders.cancel({ orderId, canceller: "barista", reason: "machine_error" });
  for (const orderId of ["C", "D"])
    await shop.orders.bury({ orderId, queue: "thumbs", input: "1", error: "no", idempotencyKey: orderId });
  await shop.client.del(shop.key("order:B"), shop.key("order:C"));
  const changes = await shop.changes(() => forgetAll(shop));
  expect(changes).toEqual({
    buried: "zset: C time, D time → zset: D time",
    dead: "zset: A time, B time, C time, D time → zset: A time, D time",
  });
});

test("one call looks at a bounded number over all indexes, and kept entries do not keep it from an end", async () => {
  await using shop = await TestOrders.open();
  await shop.declare({ capacity: 10 });
  const ids = Array.from({ length: 1200 }, (_, index) => `kept-${String(index).padStart(4, "0")}`);
  await shop.client.mset(...ids.flatMap((id) => [shop.key(`order:${id}`), "2"]));
  await shop.client.zadd(shop.key("dead"), ...ids.flatMap((id, index) => [index, id]));
  const labelled = ids.flatMap((id, index) => [index + 1, `${id} doc`]);
  await shop.client.zadd(shop.key("calls:numbers:thumbs"), ...labelled);
  expect(await shop.changes(async () => expect(await forgetAll(shop)).toBe(3))).toEqual({});
  expect(await shop.orders.forget("")).toEqual({ next: `500 ${shop.key("dead")}` });
  // Of a queue's numbers a page without a gap is enough, once no more of the first can be open.
  expect(await shop.orders.forget(`0 ${shop.key("calls:numbers:thumbs")}`)).toEqual({ next: "" });
  expect(await shop.orders.forget("70 {another}:gone")).toEqual({ next: `500 ${shop.key("dead")}` });
});

test("workers who have asked for nothing for an hour are forgotten", async () => {
  await using shop = await TestOrders.open();
  await shop.declare();
  await shop.start("Grace", { queue: "thumbs" });
  await shop.client.zadd(shop.key("workers:thumbs"), Date.now() - 2 * HOUR_MS, '"Linus"');
  expect(await shop.changes(() => forgetAll(shop))).toEqual({
    "workers:thumbs": 'zset: "Linus" time, "Grace" time → zset: "Grace" time',
  });
});

test("damaged indexes are passed over", async () => {
  await using shop = await TestOrders.open();
  await shop.declare();
  for (const name of ["orders", "calls:thumbs", "calls:numbers:thumbs", "dead", "buried", "workers:thumbs"])
    await shop.client.set(shop.key(name), "of another type");
  expect(await shop.changes(async () => expect(await forgetAll(shop)).toBe(1))).toEqual({});
});
