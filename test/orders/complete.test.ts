/** Owns the tests of operations/complete.lua: what a customer chooses for their reservation, when, and how often. */
import { expect, test } from "bun:test";
import { createCodes } from "../../src/shop/codes.ts";
import { createShop, type ShopPatch } from "../../src/shop/settings.ts";
import type { Draft } from "../../src/orders/order.ts";
import { createMenu } from "../../src/shop/menu.ts";
import { TestOrders } from "../support/orders.ts";
import { endings } from "../support/settled.ts";
import { until } from "../support/until.ts";

/** A shop in which these orders are reserved. */
async function openReserved(ids: readonly string[], own: Omit<Draft, "code"> = {}): Promise<TestOrders> {
  const shop = await TestOrders.open();
  await change(shop, { code_period_seconds: 86_400 });
  const { code } = await createCodes(shop.redis)();
  for (const orderId of ids) await shop.orders.reserve({ orderId, draft: { ...own, code } });
  return shop;
}

const change = (shop: TestOrders, patch: ShopPatch) => createShop(shop.redis, "default").change(patch);

const choose = (shop: TestOrders, orderId: string, completion: Omit<Draft, "customer_id" | "code"> = {}) =>
  shop.orders.complete({ orderId, queue: "default", completion });

/** Its time is over, whatever the clock says. */
const runOut = (shop: TestOrders, id: string) => shop.client.zadd(shop.key("reserved"), "XX", 1, id);

test("a choice queues the order under the day's next number, at the menu's price", async () => {
  await using shop = await openReserved(["A"], { customer_id: "c1", customer_name: "Ada" });
  expect(await shop.startOrWait("Grace")).toBeNull();
  await shop.place(["X"]);
  const wakes = await shop.wakes();
  const changes = await shop.changes(async () => {
    const outcome = await choose(shop, "A", { item: "latte", modifiers: { milk: "oat" }, note: "hot" });
    expect(outcome).toMatchObject({
      kind: "changed",
      order: { order_id: "A", number: 2, status: "queued", price: 400 },
    });
  });
  expect(changes).toEqual({
    "events.4": "nothing → order.placed A",
    "numbers:date": "string with TTL: 1 → string with TTL: 2",
    "order:A.status": "reserved → queued",
    "order:A.number": "nothing → 2",
    "order:A.item": "nothing → latte",
    "order:A.price": "nothing → 400",
    "order:A.choice": expect.any(String) as string,
    "order:A.details": expect.any(String) as string,
    "order:A.entry": "nothing → in the queue",
    "order:A.queue_number": "nothing → number 2",
    "order:A.queue": "nothing → default",
    "queue:default": "stream: X → stream: X, A",
    orders: expect.any(String) as string,
    reserved: "zset: A time → nothing",
    "waiting:default": "zset: X number 1 → zset: X number 1, A number 2",
  });
  await until(() => wakes.length > 0, "a barista is woken");
  expect(wakes).toEqual(["1 default"]);
  expect([await shop.start("Grace"), await shop.start("Grace")]).toEqual(["X", "A"]);
});

test("what is said with the choice stands beside what was said before, or in its place", async () => {
  await using shop = await openReserved(["A", "B"], { customer_id: "c1", customer_name: "Ada" });
  await choose(shop, "A", { note: "extra hot", customer_name: "Grace" });
  await choose(shop, "B", { note: "", modifiers: {} });
  const found = await shop.orders.find("A");
  expect(found).toMatchObject({ order: { customer_id: "c1", customer_name: "Grace", note: "extra hot" } });
  const { order } = (await shop.orders.find("B")) as { order: object };
  expect(order).toMatchObject({ customer_id: "c1", customer_name: "Ada", item: "americano", price: 300 });
  expect(Object.keys(order)).not.toContain("note");
  expect(Object.keys(order)).not.toContain("modifiers");
});

test("words of any script come through the merge as they were", async () => {
  const words = { customer_name: 'Ада "ð" \\ </script> 😀', note: "sehr heiß\n\u2028\u007f/\\u0041" };
  await using shop = await openReserved(["A"], { customer_name: words.customer_name });
  await choose(shop, "A", { note: words.note });
  expect(await shop.orders.find("A")).toMatchObject({ order: words });
});

test("the same choice again changes nothing, and answers the order as it is now", async () => {
  await using shop = await openReserved(["A"]);
  const choice = { item: "latte", modifiers: { milk: "oat" }, note: "hot" };
  await choose(shop, "A", choice);
  const again = async (expected: object) =>
    expect(
      await shop.changes(async () =>
        expect(await choose(shop, "A", choice)).toMatchObject({ kind: "changed", order: { ...expected, number: 1 } }),
      ),
    ).toEqual({});
  await again({ status: "queued", position: 1 });
  await shop.start("Grace");
  await again({ status: "brewing", barista: "Grace" });
  await shop.orders.finish({ orderId: "A" });
  await again({ status: "ready" });
});

test("choices that mean the same are the same", async () => {
  await using shop = await openReserved(["A", "B"]);
  const menu = { size: "big", milk: "oat" };
  await createMenu(shop.redis).put("latte", {
    name: "Latte",
    description: "",
    price: 400,
    available: true,
    icon: "",
    modifiers: Object.entries(menu).map(([name, option]) => ({ name, options: [option] })),
  });
  await choose(shop, "A", { item: "latte", modifiers: { size: "big", milk: "oat" }, note: "" });
  expect(await choose(shop, "A", { modifiers: { milk: "oat", size: "big" }, item: "latte" })).toMatchObject({
    kind: "changed",
  });
  await choose(shop, "B");
  expect(await choose(shop, "B", { item: "americano", modifiers: {}, note: "" })).toMatchObject({ kind: "changed" });
});

test("the same choice twice in one tick is made once, and both are answered", async () => {
  await using shop = await openReserved(["A"]);
  const complete = () => choose(shop, "A", { item: "latte" });
  expect(await endings([complete(), complete(), complete()])).toEqual(["fulfilled", "fulfilled", "fulfilled"]);
  expect(await shop.state()).toMatchObject({ "numbers:date": "string with TTL: 1", "queue:default": "stream: A" });
});

test("of two choices at once the first is made, and the other learns so", async () => {
  await using shop = await openReserved(["A"]);
  const outcomes = await Promise.all([choose(shop, "A", { item: "latte" }), choose(shop, "A", { item: "mocha" })]);
  expect(outcomes).toMatchObject([
    { kind: "changed", order: { item: "latte" } },
    { kind: "conflict", status: "queued", barista: "" },
  ]);
});

test("another choice afterwards, one for an unknown order and one for a placed order change nothing", async () => {
  await using shop = await openReserved(["A", "C"]);
  await choose(shop, "A", { item: "latte" });
  await shop.place(["B"]);
  await shop.orders.cancel({ orderId: "C", canceller: "customer", reason: "customer" });
  const changes = await shop.changes(async () => {
    for (const other of [{ item: "mocha" }, { item: "latte", note: "hot" }, { item: "latte", customer_name: "Ada" }]) {
      expect(await choose(shop, "A", other)).toEqual({ kind: "conflict", status: "queued", barista: "" });
    }
    expect(await choose(shop, "B")).toEqual({ kind: "conflict", status: "queued", barista: "" });
    expect(await choose(shop, "C")).toEqual({ kind: "conflict", status: "cancelled", barista: "" });
    expect(await choose(shop, "X")).toEqual({ kind: "unknown" });
  });
  expect(changes).toEqual({});
});

test("who was let in before is served, though the shop is closed, full and asks for codes by now", async () => {
  await using shop = await openReserved(["A"], { customer_id: "c1" });
  await change(shop, { open: false, capacity: 0, require_code: true, max_open_per_customer: 1 });
  expect(await choose(shop, "A", { item: "latte" })).toMatchObject({ kind: "changed", order: { status: "queued" } });
});

test("a choice that comes too late cancels the order, notifies who waits, and gives the drink back", async () => {
  await using shop = await openReserved(["A"], { customer_id: "c1" });
  expect(await shop.orders.watch({ orderId: "A", holder: "another replica" })).toEqual({ kind: "watching" });
  await runOut(shop, "A");
  const changes = await shop.changes(async () => {
    expect(await endings([choose(shop, "A"), choose(shop, "A")])).toEqual(["fulfilled", "fulfilled"]);
    expect(await choose(shop, "A")).toEqual({ kind: "conflict", status: "cancelled", barista: "" });
  });
  expect(changes).toEqual({
    "bell:A": 'nothing → list with TTL: "", ""',
    "code.remaining": "9 → 10",
    "events.3": "nothing → order.cancelled A",
    "open:of:c1": "set: A → nothing",
    "order:A": "order → order with TTL",
    "order:A.finished_at": "nothing → time",
    "order:A.reason": "nothing → customer_timeout",
    "order:A.status": "reserved → cancelled",
    reserved: "zset: A 1 → nothing",
  });
});

test("many choices of one tick get their numbers in the order in which they came", async () => {
  const ids = Array.from({ length: 10 }, (_, index) => `order-${index}`);
  await using shop = await openReserved(ids);
  const outcomes = await Promise.all(ids.map((id) => choose(shop, id, { item: "latte" })));
  expect(outcomes.map((outcome) => outcome.kind === "changed" && outcome.order.number)).toEqual(
    ids.map((_, index) => index + 1),
  );
  expect(await shop.client.zrange(shop.key("waiting:default"), 0, "-1")).toEqual(ids);
});

test("orders that are placed in the same tick come behind it, as their numbers say", async () => {
  await using shop = await openReserved(["A"]);
  await Promise.all([shop.place(["B"]), choose(shop, "A", {})]);
  expect(await shop.state()).toMatchObject({
    "queue:default": "stream: A, B",
    "waiting:default": "zset: A number 1, B number 2",
  });
});
