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
