/** Owns the tests of operations/place.lua. */
import { expect, test } from "bun:test";
import { TestOrders } from "../support/orders.ts";
import { endings } from "../support/settled.ts";
import { until } from "../support/until.ts";

const HOUR_MS = 3_600_000;

test("a placed order stands in the queue and in all indexes", async () => {
  await using shop = await TestOrders.open();
  const draft = { item: "latte", note: "oat milk", customer_id: "c1", customer_name: "Ada" } as const;
  expect(await shop.orders.place({ orderId: "A", queue: "default", draft, idempotencyKey: "k" })).toEqual({
    kind: "placed",
    orderId: "A",
  });
  expect(await shop.state()).toEqual({
    "events.1": "order.placed A",
    "numbers:date": "string with TTL: 1",
    "once:k": "string with TTL: A hash",
    "order:A": "order",
    "order:A.status": "queued",
    "order:A.number": "1",
    "open:of:c1": "set: A",
    "order:A.item": "latte",
    "order:A.price": "400",
    "order:A.customer": '"c1"',
    "order:A.details": '{"customer_id":"c1","customer_name":"Ada","note":"oat milk"}',
    "order:A.idempotency_key": "k",
    "order:A.attempts": "0",
    "order:A.placed_at": "time",
    "order:A.queue": "default",
    "order:A.queue_number": "number 1",
    "order:A.entry": "in the queue",
    orders: "zset: A time",
    "orders:of:c1": "zset with TTL: A time",
    "queue:default": "stream: A",
    queues: "set: default",
    "waiting:default": "zset: A number 1",
  });
});

test("an order without wishes is an americano without a name", async () => {
  await using shop = await TestOrders.open();
  expect(await shop.changes(() => shop.place(["A"]))).toEqual({
    "events.1": "nothing → order.placed A",
    "numbers:date": "nothing → string with TTL: 1",
    "order:A": "nothing → order",
    "order:A.status": "nothing → queued",
    "order:A.number": "nothing → 1",
    "order:A.item": "nothing → americano",
    "order:A.price": "nothing → 300",
    "order:A.attempts": "nothing → 0",
    "order:A.placed_at": "nothing → time",
    "order:A.queue": "nothing → default",
    "order:A.queue_number": "nothing → number 1",
    "order:A.entry": "nothing → in the queue",
    orders: "nothing → zset: A time",
    "queue:default": "nothing → stream: A",
    queues: "nothing → set: default",
    "waiting:default": "nothing → zset: A number 1",
  });
});

test("the ticket counter is the day's, by Redis's clock", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A"]);
  const found = await shop.orders.find("A");
  const placedAt = Date.parse(found.kind === "found" ? found.order.placed_at : "");
  const date = new Date(placedAt).toISOString().slice(0, 10);
  expect(await shop.client.get(shop.key(`numbers:${date}`))).toBe("1");
  const day = Math.floor(placedAt / (24 * HOUR_MS));
  expect((await shop.record("A")).queue_number).toBe(String(day * 1e9 + 1));
  const ttlMs = await shop.ttlMs(`numbers:${date}`);
  expect(ttlMs).toBeGreaterThan(47 * HOUR_MS);
  expect(ttlMs).toBeLessThanOrEqual(48 * HOUR_MS);
});

test("an Idempotency-Key is kept as long as a final order, a customer's index twice as long", async () => {
  await using shop = await TestOrders.open();
  await shop.ordersWith({ retentionHours: 10 }).place({
    orderId: "A",
    queue: "default",
    draft: { customer_id: "c1" },
    idempotencyKey: "k",
  });
  const [keyMs, indexMs] = [await shop.ttlMs("once:k"), await shop.ttlMs("orders:of:c1")];
  expect(keyMs).toBeGreaterThan(9 * HOUR_MS);
  expect(keyMs).toBeLessThanOrEqual(10 * HOUR_MS);
  expect(indexMs).toBeGreaterThan(19 * HOUR_MS);
  expect(indexMs).toBeLessThanOrEqual(20 * HOUR_MS);
});

test("the same id again changes nothing, in whatever state the order is", async () => {
  await using shop = await TestOrders.open();
  const placement = { orderId: "A", queue: "default", draft: { customer_id: "c1" }, idempotencyKey: "k" };
  const again = async () => expect(await shop.orders.place(placement)).toEqual({ kind: "placed", orderId: "A" });
  await shop.orders.place(placement);
  expect(await shop.changes(again)).toEqual({});
  await shop.start("Grace");
  expect(await shop.changes(again)).toEqual({});
  await shop.orders.finish({ orderId: "A" });
  expect(await shop.changes(again)).toEqual({});
});

test("the same Idempotency-Key and body joins the first order, and another body is a mismatch", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A"], { idempotencyKey: "k", draft: { note: "hot" } });
  const place = (draft: object) => shop.orders.place({ orderId: "B", queue: "default", draft, idempotencyKey: "k" });
  const changes = await shop.changes(async () => {
    expect(await place({ note: "hot" })).toEqual({ kind: "joined", orderId: "A" });
    expect(await place({ item: "americano", note: "hot" })).toEqual({ kind: "joined", orderId: "A" });
    expect(await place({ note: "cold" })).toEqual({ kind: "mismatch" });
    expect(await place({ item: "latte", note: "hot" })).toEqual({ kind: "mismatch" });
    expect(await place({ note: "hot", customer_id: "c1" })).toEqual({ kind: "mismatch" });
  });
  expect(changes).toEqual({});
});

test("a final order can still be joined", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A"], { idempotencyKey: "k" });
  await shop.orders.cancel({ orderId: "A", canceller: "customer", reason: "customer" });
  const again = { orderId: "B", queue: "default", draft: {}, idempotencyKey: "k" };
  expect(await shop.orders.place(again)).toEqual({ kind: "joined", orderId: "A" });
});

test("an Idempotency-Key can be used again once its order is forgotten", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A"], { idempotencyKey: "k" });
  await shop.client.del(shop.key("order:A"));
  const again = { orderId: "B", queue: "default", draft: { note: "another" }, idempotencyKey: "k" };
  expect(await shop.orders.place(again)).toEqual({ kind: "placed", orderId: "B" });
  expect(await shop.state()).toMatchObject({ "once:k": "string with TTL: B hash", "order:B.status": "queued" });
});

test("queues share the ticket numbers and nothing else", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A"]);
  await shop.place(["B"], { queue: "patio" });
  await shop.place(["C"]);
  expect(await shop.state()).toMatchObject({
    "numbers:date": "string with TTL: 3",
    "queue:default": "stream: A, C",
    "queue:patio": "stream: B",
    "waiting:default": "zset: A number 1, C number 3",
    "waiting:patio": "zset: B number 2",
    queues: "set: default, patio",
  });
});

test("orders of one tick stand in the order in which they came", async () => {
  await using shop = await TestOrders.open();
  const ids = Array.from({ length: 300 }, (_, index) => `order-${index}`);
  await Promise.all(ids.map((orderId) => shop.orders.place({ orderId, queue: "default", draft: {} })));
  expect(await shop.client.zrange(shop.key("waiting:default"), "0", "-1")).toEqual(ids);
});

test("a placement that fails, fails alone", async () => {
  await using shop = await TestOrders.open();
  await shop.client.rpush(shop.key("once:broken"), "no string");
  const [first, second, third] = await endings(
    ["a", "broken", "c"].map((key) =>
      shop.orders.place({ orderId: `order-${key}`, queue: "default", draft: {}, idempotencyKey: key }),
    ),
  );
  expect([first, third]).toEqual(["fulfilled", "fulfilled"]);
  expect(second).toStartWith("ShopDamagedError: place: WRONGTYPE");
  expect(await shop.state()).toMatchObject({ "waiting:default": "zset: order-a number 1, order-c number 2" });
});

test("baristas hear of each queue once, with the number of its new orders", async () => {
  await using shop = await TestOrders.open();
  for (const queue of ["default", "patio"]) expect(await shop.startOrWait("Grace", queue)).toBeNull();
  const wakes = await shop.wakes();
  await Promise.all([
    shop.place(["A"]),
    shop.place(["B"], { queue: "patio" }),
    shop.place(["C"]),
    // Placed before in the same batch: nothing new.
    shop.place(["A"]),
  ]);
  await until(() => wakes.length >= 2, "both queues are named");
  expect(wakes.toSorted()).toEqual(["1 patio", "2 default"]);
});

test("no wake is sent for a queue at which no barista waits", async () => {
  await using shop = await TestOrders.open();
  expect(await shop.start("Grace")).toBeNull();
  expect(await shop.startOrWait("Grace", "patio")).toBeNull();
  const wakes = await shop.wakes();
  await shop.place(["A"]);
  await shop.place(["B"], { queue: "patio" });
  await until(() => wakes.length > 0, "the other queue's baristas are woken");
  expect(wakes).toEqual(["1 patio"]);
});

test("a customer's index forgets as it grows, and keeps what is kept", async () => {
  await using shop = await TestOrders.open();
  const draft = { customer_id: "c1" };
  await shop.place(["A", "B", "C"], { draft });
  // All placed long ago, and two of them forgotten since.
  await shop.client.zadd(shop.key("orders:of:c1"), 1, "A", 2, "B", 3, "C");
  await shop.client.del(shop.key("order:A"), shop.key("order:C"));
  await shop.place(["D"], { draft });
  expect(await shop.client.zrange(shop.key("orders:of:c1"), 0, "-1")).toEqual(["B", "D"]);
});
