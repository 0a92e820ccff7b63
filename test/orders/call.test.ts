/** Owns the tests of operations/call.lua: orders for machines. What lets them in is in call-refused.test.ts. */
import { expect, test } from "bun:test";
import type { Search } from "../../src/orders/queries.ts";
import { QUEUE_RULES, TestOrders } from "../support/orders.ts";
import { until } from "../support/until.ts";

const HOUR_MS = 3_600_000;
const { name: queue } = QUEUE_RULES;

/** A shop with a queue of machines. */
async function openShop(own: Partial<typeof QUEUE_RULES> = {}): Promise<TestOrders> {
  const shop = await TestOrders.open();
  await shop.declare(own);
  return shop;
}

test("a call stands in its queue, and in no index of the counter", async () => {
  await using shop = await openShop();
  const changes = await shop.changes(async () => {
    const call = { orderId: "A", queue, input: '{"url":"/a.jpg"}', idempotencyKey: "k", holder: "replica" };
    expect(await shop.orders.call(call)).toEqual({ kind: "placed", orderId: "A" });
  });
  expect(changes).toEqual({
    "calls:count:thumbs": "nothing → string: 1",
    "calls:thumbs": "nothing → zset: A time",
    "events.1": "nothing → order.placed A",
    "once:k": "nothing → string with TTL: A hash",
    "order:A": "nothing → order",
    "order:A.attempts": "nothing → 0",
    "order:A.details": 'nothing → {"queue":"thumbs"}',
    "order:A.entry": "nothing → in the queue",
    "order:A.holder": "nothing → a replica",
    "order:A.idempotency_key": "nothing → k",
    "order:A.input": 'nothing → {"url":"/a.jpg"}',
    "order:A.number": "nothing → 1",
    "order:A.placed_at": "nothing → time",
    "order:A.queue": "nothing → thumbs",
    "order:A.queue_number": "nothing → 1",
    "order:A.status": "nothing → queued",
    "queue:thumbs": "nothing → stream: A",
    "waiting:thumbs": "nothing → zset: A 1",
  });
  expect(await shop.orders.find("A")).toMatchObject({
    order: { number: 1, queue, input: { url: "/a.jpg" }, status: "queued", position: 1 },
  });
});

test("each queue counts for itself, for ever; the counter's numbers are its own", async () => {
  await using shop = await openShop();
  await shop.declare({ name: "mail" });
  await shop.call(["A"]);
  await shop.place(["B"]);
  await shop.call(["C"], { queue: "mail" });
  await Promise.all([shop.call(["D"]), shop.place(["E"]), shop.call(["F"])]);
  const state = await shop.state();
  expect(state).toMatchObject({
    "calls:count:mail": "string: 1",
    "calls:count:thumbs": "string: 3",
    "numbers:date": "string with TTL: 2",
    "waiting:default": "zset: B number 1, E number 2",
    "waiting:mail": "zset: C 1",
    "waiting:thumbs": "zset: A 1, D 2, F 3",
  });
  expect(await shop.ttlMs("calls:count:thumbs")).toBe(-1);
});

test("calls of one tick stand in the order in which they came, among orders of the counter", async () => {
  await using shop = await openShop({ capacity: 1000 });
  const ids = Array.from({ length: 200 }, (_, index) => `order-${index}`);
  await Promise.all([shop.call(["first"]), shop.place(["x"])]);
  await Promise.all(
    ids.flatMap((orderId) => [
      shop.orders.call({ orderId, queue, input: "1" }),
      shop.orders.place({ orderId: `counter-${orderId}`, queue: "default", draft: {} }),
    ]),
  );
  expect(await shop.client.zrange(shop.key("waiting:thumbs"), "0", "-1")).toEqual(["first", ...ids]);
  expect(await shop.client.zrange(shop.key("waiting:default"), "0", "-1")).toEqual([
    "x",
    ...ids.map((id) => `counter-${id}`),
  ]);
});

test("a call goes through its states as an order does", async () => {
  await using shop = await openShop();
  await shop.call(["A", "B"]);
  expect(await shop.start("Grace", { claimId: "c1", queue })).toBe("A");
  const changes = await shop.changes(async () =>
    expect(await shop.orders.finish({ orderId: "A", barista: "Grace", result: "[1]" })).toMatchObject({
      kind: "changed",
      order: { queue, number: 1, input: {}, result: [1], status: "ready" },
    }),
  );
  expect(changes).toEqual({
    claims: "hash: c1 for A → nothing",
    "events.4": "nothing → order.finished A",
    "leases:thumbs": "zset: A time → nothing",
    "order:A": "order → order with TTL",
    "order:A.claim": "c1 → nothing",
    "order:A.entry": "in the queue → not in the queue",
    "order:A.finished_at": "nothing → time",
    "order:A.result": "nothing → [1]",
    "order:A.status": "brewing → ready",
    "queue:thumbs": "stream: A, B → stream: B",
    "spent:now": "nothing → set with TTL: c1",
    "waits:thumbs": "nothing → list with TTL: a wait",
  });
});

test("machines who wait are woken, those of the counter are not", async () => {
  await using shop = await openShop();
  for (const each of [queue, "default"]) expect(await shop.startOrWait("Grace", each)).toBeNull();
  const wakes = await shop.wakes();
  await Promise.all([shop.call(["A"]), shop.call(["B"])]);
  await until(() => wakes.length > 0, "machines are woken");
  expect(wakes).toEqual(["2 thumbs"]);
});

test("the same id again changes nothing, in whatever state the order is", async () => {
  await using shop = await openShop();
  const again = async () => {
    const call = { orderId: "A", queue, input: "{}", idempotencyKey: "k" };
    expect(await shop.orders.call(call)).toEqual({ kind: "placed", orderId: "A" });
  };
  await again();
  expect(await shop.changes(again)).toEqual({});
  await shop.start("Grace", { queue });
  expect(await shop.changes(again)).toEqual({});
  await shop.orders.finish({ orderId: "A" });
  expect(await shop.changes(again)).toEqual({});
});

test("the same Idempotency-Key joins the first call; another input, queue or time is a mismatch", async () => {
  await using shop = await openShop();
  await shop.declare({ name: "mail" });
  const call = (own: object) => shop.orders.call({ orderId: "B", queue, input: "[1]", idempotencyKey: "k", ...own });
  await call({ orderId: "A" });
  const changes = await shop.changes(async () => {
    expect(await call({})).toEqual({ kind: "joined", orderId: "A" });
    expect(await call({ input: "[2]" })).toEqual({ kind: "mismatch" });
    expect(await call({ queue: "mail" })).toEqual({ kind: "mismatch" });
    expect(await call({ notBefore: new Date(Date.now() + HOUR_MS).toISOString() })).toEqual({ kind: "mismatch" });
    const placement = { orderId: "C", queue: "default", draft: {}, idempotencyKey: "k" };
    expect(await shop.orders.place(placement)).toEqual({ kind: "mismatch" });
  });
  expect(changes).toEqual({});
});

test("an input whose members stand in another order is the same, at any depth; a list's elements are not", async () => {
  await using shop = await openShop();
  const call = (orderId: string, input: string) =>
    shop.orders.call({ orderId, queue, input, idempotencyKey: "members" });
  await call("A", '{"b":[{"y":1,"x":2},3],"a":null,"__proto__":1}');
  expect(await call("B", '{"__proto__":1,"a":null,"b":[{"x":2,"y":1},3]}')).toEqual({ kind: "joined", orderId: "A" });
  expect(await call("B", '{"__proto__":1,"a":null,"b":[3,{"x":2,"y":1}]}')).toEqual({ kind: "mismatch" });
  expect(await call("B", '{"a":null,"b":[{"x":2,"y":1},3]}')).toEqual({ kind: "mismatch" });
});

test("a call that is sent again answers the same, whatever has become of it", async () => {
  await using shop = await openShop();
  const { orders, last } = shop.recorded();
  await orders.call({ orderId: "A", queue, input: "{}" });
  const placed = last();
  expect(await shop.changes(async () => expect(await placed.sendAgain()).toEqual(placed.answer))).toEqual({});
  await orders.start({ barista: "Grace", queue });
  const started = last();
  await orders.finish({ orderId: "A", result: '{"cups":1}' });
  const finished = last();
  expect(String(finished.answer)).toContain('"input":{},"result":{"cups":1}');
  expect(await shop.changes(async () => expect(await finished.sendAgain()).toEqual(finished.answer))).toEqual({});
  expect(String(await placed.sendAgain())).toBe("stale");
  expect(String(started.answer)).toContain('"input":{}');
});

test("what comes in is what goes out: any JSON", async () => {
  await using shop = await openShop();
  const inputs: unknown[] = [
    null,
    true,
    0,
    -1.5e-300,
    9_007_199_254_740_991,
    "",
    "\n\t\u0000\u2028\u2029",
    'quotes " and \\ and "},{"status":"ready',
    "\ud800 half a character",
    "Zoë ☕ 👩🏽‍🍳\u007f",
    [],
    {},
    { "": "", retry_of: "x", not_before: "y", status: "ready", "a\nb": ["%s %d %", { deep: [[[]]] }] },
  ];
  for (const [index, input] of inputs.entries()) {
    const orderId = `order-${index}`;
    await shop.call([orderId], { input: JSON.stringify(input) });
    expect(await shop.orders.find(orderId)).toMatchObject({ kind: "found", order: { input } });
    expect(await shop.start("Grace", { queue })).toBe(orderId);
    await shop.orders.finish({ orderId, result: JSON.stringify(input) });
    expect(await shop.orders.find(orderId)).toMatchObject({ order: { input, result: input, status: "ready" } });
  }
  expect(await shop.orders.inspect(100)).toEqual({ keys: [], orders: [], unevenQueues: [] });
});

test("an input of 256 KB goes through all that may be done to it", async () => {
  await using shop = await openShop();
  const input = "x\n".repeat(131_072 / 1.5 - 2);
  const json = JSON.stringify(input);
  expect(json.length).toBeGreaterThan(255 * 1024);
  await shop.call(["A", "B"], { input: json });
  const { orders } = shop;
  await shop.start("Grace", { queue });
  await orders.progress({ orderId: "A", progress: '{"percent":1}' });
  await orders.extend({ orderId: "A" });
  await orders.release({ orderId: "A", isUncounted: true });
  await shop.start("Grace", { queue });
  await orders.fail({ orderId: "A", error: "no", retry: false, retryAfterMs: 0 });
  const retried = await orders.retry({ orderId: "A", newId: "C" });
  expect(retried).toMatchObject({ kind: "retried", order: { input, number: 3 } });
  const events = await shop.client.xrange(shop.key("events"), "-", "+");
  expect(JSON.stringify(events).length).toBeLessThan(10_000);
});

test("a label leads to the calls that it was given to, by queue, the newest last", async () => {
  await using shop = await openShop();
  const changes = await shop.changes(async () => {
    await shop.call(["A", "B"], { label: "doc-1" });
    await shop.call(["C"], { label: "doc-0" });
    await shop.call(["D"]);
  });
  expect(changes).toMatchObject({
    "calls:labels:thumbs": "nothing → zset: doc-0 3 C 0, doc-1 1 A 0, doc-1 2 B 0",
    "calls:numbers:thumbs": "nothing → zset: A doc-1 1, B doc-1 2, C doc-0 3",
  });
  expect(await shop.orders.find("A")).not.toHaveProperty("order.label");
});

test("search finds the calls of one queue; the counter's search finds none", async () => {
  await using shop = await openShop();
  await shop.declare({ name: "mail" });
  await shop.call(["A", "B"]);
  await shop.call(["C"], { queue: "mail" });
  await shop.place(["D"]);
  await shop.start("Grace", { queue });
  const search = async (own: Partial<Search>) => {
    const page = await shop.orders.search({ fromMs: 0, beforeMs: 1e15, limit: 10, ...own });
    return page.kind === "page" ? page.orders.map(({ order_id }) => order_id) : page.kind;
  };
  expect(await search({ queue })).toEqual(["A", "B"]);
  expect(await search({ queue, statuses: ["queued"] })).toEqual(["B"]);
  expect(await search({ queue, cursor: "A" })).toEqual(["B"]);
  expect(await search({ queue, cursor: "D" })).toBe("cursor_gone");
  expect(await search({ queue: "mail" })).toEqual(["C"]);
  expect(await search({ queue: "none" })).toEqual([]);
  expect(await search({})).toEqual(["D"]);
});
