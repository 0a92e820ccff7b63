/** Owns the tests of operations/reserve.lua, operations/complete.lua and operations/expire.lua. */
import { expect, test } from "bun:test";
import { createCodes } from "../../src/shop/codes.ts";
import { createShop } from "../../src/shop/settings.ts";
import { TestOrders } from "../support/orders.ts";

async function openWithCode(): Promise<{ shop: TestOrders; code: string; remaining: () => Promise<number> }> {
  const shop = await TestOrders.open();
  const settings = createShop(shop.redis, "default");
  await settings.change({ code_period_seconds: 86_400 });
  const read = createCodes(shop.redis);
  return { shop, code: (await read()).code, remaining: async () => (await read()).remaining };
}

/** Its time is over, whatever the clock says. */
const runOut = (shop: TestOrders, id: string) => shop.client.zadd(shop.key("reserved"), "XX", 1, id);

const choose = (orderId: string, item: string, more: object = {}) => ({
  orderId,
  queue: "default",
  completion: { item, ...more },
});

test("a code is redeemed for an order without a number or a drink", async () => {
  const { shop, code, remaining } = await openWithCode();
  await using _ = shop;
  const draft = { code, customer_name: "Ada", customer_id: "c1" };
  expect(await shop.orders.reserve({ orderId: "A", draft })).toMatchObject({
    kind: "reserved",
    orderId: "A",
    order: { order_id: "A", status: "reserved", attempts: 0, customer_name: "Ada" },
  });
  expect(await remaining()).toBe(9);
  expect(await shop.state()).toMatchObject({
    "events.2": "order.reserved A",
    reserved: "zset: A time",
    orders: "zset: A time",
    "orders:of:c1": "zset with TTL: A time",
    "open:of:c1": "set: A",
  });
  // Sent again after a lost reply.
  await shop.orders.reserve({ orderId: "A", draft });
  expect(await remaining()).toBe(9);
});

test("the same Idempotency-Key gets the order first reserved, and spends nothing", async () => {
  const { shop, code, remaining } = await openWithCode();
  await using _ = shop;
  const ask = (orderId: string, customer_name = "Ada") =>
    shop.orders.reserve({ orderId, draft: { code, customer_name }, idempotencyKey: "k" });
  const first = await ask("A");
  expect(await ask("B")).toEqual(first);
  expect(await ask("C", "Linus")).toEqual({ kind: "mismatch" });
  expect(await remaining()).toBe(9);
});

test("a wrong code, an old one, and one that is used up reserve nothing", async () => {
  const { shop, code, remaining } = await openWithCode();
  await using _ = shop;
  const changes = await shop.changes(async () => {
    expect(await shop.orders.reserve({ orderId: "A", draft: { code: "WRONG" } })).toMatchObject({ why: "code_wrong" });
  });
  expect(changes).toEqual({});
  await shop.client.hset(shop.key("code"), "remaining", 0);
  expect(await shop.orders.reserve({ orderId: "A", draft: { code } })).toMatchObject({ why: "code_used_up" });
  expect(await remaining()).toBe(0);
  await shop.client.hset(shop.key("code"), "remaining", 5, "ends_at", 1);
  expect(await shop.orders.reserve({ orderId: "A", draft: { code } })).toMatchObject({ why: "code_wrong" });
});

test("a choice makes it queued, with number, price and what was said before", async () => {
  const { shop, code } = await openWithCode();
  await using _ = shop;
  await shop.place(["X"]);
  await shop.orders.reserve({ orderId: "A", draft: { code, customer_name: "Ada" } });
  const choice = choose("A", "latte", { modifiers: { milk: "oat" }, note: "hot" });
  const completed = await shop.orders.complete(choice);
  expect(completed).toMatchObject({
    kind: "changed",
    order: { number: 2, status: "queued", item: "latte", price: 400, note: "hot", customer_name: "Ada" },
  });
  expect(completed).toMatchObject({ order: { modifiers: { milk: "oat" } } });
  expect(await shop.orders.complete(choice)).toMatchObject({ kind: "changed", order: { number: 2, position: 2 } });
  expect(await shop.orders.complete(choose("A", "mocha"))).toMatchObject({ kind: "conflict", status: "queued" });
  expect([await shop.start("Grace"), await shop.start("Grace")]).toEqual(["X", "A"]);
});

test("a faulty choice leaves it reserved", async () => {
  const { shop, code } = await openWithCode();
  await using _ = shop;
  await shop.orders.reserve({ orderId: "A", draft: { code } });
  const changes = await shop.changes(async () => {
    expect(await shop.orders.complete(choose("A", "tea"))).toMatchObject({ why: "unknown_item", subject: "tea" });
    const goat = choose("A", "latte", { modifiers: { milk: "goat" } });
    expect(await shop.orders.complete(goat)).toMatchObject({ why: "unknown_option", subject: "milk" });
    expect(await shop.orders.complete(choose("B", "latte"))).toEqual({ kind: "unknown" });
  });
  expect(changes).toEqual({});
});

test("one that is not completed in time is cancelled, and gives its drink back while the code is the current one", async () => {
  const { shop, code, remaining } = await openWithCode();
  await using _ = shop;
  await shop.orders.reserve({ orderId: "A", draft: { code } });
  await shop.orders.reserve({ orderId: "B", draft: { code } });
  expect(await remaining()).toBe(8);
  await runOut(shop, "A");
  const { cancelled } = await shop.orders.expire();
  expect(cancelled).toBe(1);
  expect(await remaining()).toBe(9);
  expect(await shop.orders.find("A")).toMatchObject({ order: { status: "cancelled", reason: "customer_timeout" } });
  expect(await shop.orders.find("B")).toMatchObject({ status: "reserved" });

  await shop.client.hset(shop.key("code"), "code", "THENEXTONE");
  await runOut(shop, "B");
  await shop.orders.expire();
  expect(await remaining()).toBe(9);
});

test("a choice that comes too late is a conflict", async () => {
  const { shop, code, remaining } = await openWithCode();
  await using _ = shop;
  await shop.orders.reserve({ orderId: "A", draft: { code } });
  await runOut(shop, "A");
  expect(await shop.orders.complete(choose("A", "latte"))).toMatchObject({ kind: "conflict", status: "cancelled" });
  expect(await remaining()).toBe(10);
});

test("a customer who cancels gives the drink back", async () => {
  const { shop, code, remaining } = await openWithCode();
  await using _ = shop;
  await shop.orders.reserve({ orderId: "A", draft: { code, customer_id: "c1" } });
  await shop.orders.cancel({ orderId: "A", canceller: "customer", reason: "customer" });
  expect(await remaining()).toBe(10);
  const state = await shop.state();
  expect(state).not.toHaveProperty("reserved");
  expect(state).not.toHaveProperty("open:of:c1");
});
