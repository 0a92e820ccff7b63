/** Owns the tests of operations/retry.lua: dead orders that are made again. */
import { expect, test } from "bun:test";
import type { Draft, Order } from "../../src/orders/order.ts";
import { QUEUE_RULES, TestOrders } from "../support/orders.ts";

const { name: queue } = QUEUE_RULES;
const FOR_GOOD = { error: "no beans", retry: false, retryAfterMs: 0 } as const;
const TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const later = () => new Date(Date.now() + 3_600_000).toISOString();

/** Has an order die that is next in its line. */
async function kill(shop: TestOrders, orderId: string, own?: { queue: string }): Promise<void> {
  expect(await shop.start("Grace", own)).toBe(orderId);
  await shop.orders.fail({ orderId, ...FOR_GOOD });
}

async function openDead(draft: Draft = {}, traceparent?: string): Promise<TestOrders> {
  const shop = await TestOrders.open();
  await shop.place(["A"], { draft, traceparent, idempotencyKey: "k", holder: "replica" });
  await kill(shop, "A");
  return shop;
}

async function find(shop: TestOrders, id: string): Promise<Order> {
  const outcome = await shop.orders.find(id);
  if (outcome.kind !== "found") throw new Error(`${id} is ${outcome.kind}`);
  return outcome.order;
}

test("a dead order is made again as a new one, which names it, and is no dead letter any more", async () => {
  await using shop = await openDead({ item: "latte", note: "hot", customer_id: "c1" });
  const changes = await shop.changes(async () =>
    expect(await shop.orders.retry({ orderId: "A", newId: "B", retriedBy: "Linus" })).toMatchObject({
      kind: "retried",
      orderId: "B",
      order: {
        number: 2,
        item: "latte",
        note: "hot",
        retry_of: "A",
        retried_by: "Linus",
        status: "queued",
        position: 1,
      },
    }),
  );
  expect(changes).toEqual({
    dead: "zset: A time → nothing",
    "events.4": "nothing → order.placed B",
    "numbers:date": "string with TTL: 1 → string with TTL: 2",
    "once:retry A": "nothing → string with TTL: B -",
    "open:of:c1": "nothing → set: B",
    "order:B": "nothing → order",
    "order:B.attempts": "nothing → 0",
    "order:B.customer": 'nothing → "c1"',
    "order:B.details": 'nothing → {"customer_id":"c1","note":"hot","retry_of":"A","retried_by":"Linus"}',
    "order:B.entry": "nothing → in the queue",
    "order:B.idempotency_key": "nothing → retry A",
    "order:B.item": "nothing → latte",
    "order:B.number": "nothing → 2",
    "order:B.placed_at": "nothing → time",
    "order:B.price": "nothing → 400",
    "order:B.queue": "nothing → default",
    "order:B.queue_number": "nothing → number 2",
    "order:B.status": "nothing → queued",
    orders: "zset: A time → zset: A time, B time",
    "orders:of:c1": "zset with TTL: A time → zset with TTL: A time, B time",
    "queue:default": "stream:  → stream: B",
    "waiting:default": "nothing → zset: B number 2",
  });
});

test("made again twice, it is made once: the same new order is answered, as it is by then", async () => {
  await using shop = await openDead();
  await shop.orders.retry({ orderId: "A", newId: "B" });
  await kill(shop, "B");
  const changes = await shop.changes(async () =>
    expect(await shop.orders.retry({ orderId: "A", newId: "C", retriedBy: "Ada" })).toMatchObject({
      kind: "retried",
      orderId: "B",
      order: { status: "cancelled", retry_of: "A" },
    }),
  );
  expect(changes).toEqual({});
  await shop.place(["D"]);
  await kill(shop, "D");
  const [first, second] = await Promise.all([
    shop.orders.retry({ orderId: "D", newId: "E" }),
    shop.orders.retry({ orderId: "D", newId: "F" }),
  ]);
  expect(second).toEqual(first);
  expect(await shop.orders.find("F")).toEqual({ kind: "unknown" });
});

test("an order that was made again can be made again itself", async () => {
  await using shop = await openDead({ customer_name: "Ada" });
  await shop.orders.retry({ orderId: "A", newId: "B", retriedBy: '"retry_of":"Z",\\' });
  await kill(shop, "B");
  await shop.orders.retry({ orderId: "B", newId: "C" });
  await kill(shop, "C");
  await shop.orders.retry({ orderId: "C", newId: "D", retriedBy: "Linus" });
  expect(await find(shop, "B")).toMatchObject({ retry_of: "A", retried_by: '"retry_of":"Z",\\' });
  const third = await find(shop, "C");
  expect(third).toMatchObject({ retry_of: "B", customer_name: "Ada" });
  expect(third).not.toHaveProperty("retried_by");
  expect(await find(shop, "D")).toMatchObject({ retry_of: "C", retried_by: "Linus", number: 4, customer_name: "Ada" });
});

const MENTIONS = '"retry_of":"X","retried_by":"Y","not_before":"Z",';

test.each<Draft>([
  { note: MENTIONS },
  { note: `\\${MENTIONS}\\`, customer_name: '"', customer_id: '\\",' },
  { note: "\n\u0000\u2028 Zoë 👩🏽‍🍳", customer_name: "\\" },
  { note: "tail", modifiers: { milk: "oat" } },
])("what its customer said stays, whatever that is: %j", async (draft) => {
  await using shop = await openDead({ item: "latte", ...draft });
  const { orders } = shop;
  for (const [id, newId] of [
    ["A", "B"],
    ["B", "C"],
  ] as const) {
    await orders.retry({ orderId: id, newId, retriedBy: MENTIONS });
    const order = await find(shop, newId);
    expect(order).toMatchObject({ ...draft, item: "latte", price: 400, retry_of: id, retried_by: MENTIONS });
    expect(order).not.toHaveProperty("not_before");
    await kill(shop, newId);
  }
  expect(await orders.inspect(10)).toMatchObject({ orders: [] });
});

test("modifiers of such names stay too", async () => {
  await using shop = await openDead();
  const key = shop.key("order:A");
  const modifiers = { not_before: "oat", retry_of: "a", retried_by: "b" };
  const record = (await shop.client.get(key)) ?? "";
  const garbled = record.replace('"placed_at"', `"modifiers":${JSON.stringify(modifiers)},"placed_at"`);
  await shop.client.set(key, garbled);
  for (const [id, newId] of [
    ["A", "B"],
    ["B", "C"],
  ] as const) {
    await shop.orders.retry({ orderId: id, newId });
    expect(await find(shop, newId)).toMatchObject({ modifiers, retry_of: id });
    await kill(shop, newId);
  }
});

test("one that was for later is made again at once", async () => {
  await using shop = await TestOrders.open();
  await shop.declare();
  await shop.place(["A"], { draft: { note: "x", not_before: later() } });
  await shop.call(["B"], { notBefore: later(), callbackUrl: "https://hooks.test/", traceparent: TRACE });
  for (const orderId of ["A", "B"]) {
    await shop.orders.cancel({ orderId, canceller: "barista", reason: "machine_error" });
    const retried = await shop.orders.retry({ orderId, newId: `${orderId}2` });
    expect(retried).toMatchObject({ order: { status: "queued", retry_of: orderId } });
    expect(retried).not.toHaveProperty("order.not_before");
    await shop.orders.cancel({ orderId: `${orderId}2`, canceller: "barista", reason: "machine_error" });
    const again = await shop.orders.retry({ orderId: `${orderId}2`, newId: `${orderId}3` });
    expect(again).toMatchObject({ order: { retry_of: `${orderId}2` } });
    expect(again).not.toHaveProperty("order.not_before");
  }
});

test("an order that is made again has a trace of its own, or none", async () => {
  const note = `","traceparent":"${TRACE}","`;
  await using shop = await openDead({ note }, TRACE);
  expect(await find(shop, "A")).toMatchObject({ note, traceparent: TRACE });
  const other = TRACE.replace("00f067", "11f067");
  await shop.orders.retry({ orderId: "A", newId: "B", traceparent: other });
  expect(await find(shop, "B")).toMatchObject({ note, traceparent: other, retry_of: "A" });
  await kill(shop, "B");
  await shop.orders.retry({ orderId: "B", newId: "C", retriedBy: "Linus" });
  const order = await find(shop, "C");
  expect(order).toMatchObject({ note, retry_of: "B", retried_by: "Linus" });
  expect(order).not.toHaveProperty("traceparent");
});

test("a call is made again with its input, under its queue's next number, beyond its capacity too", async () => {
  await using shop = await TestOrders.open();
  await shop.declare({ capacity: 1 });
  await shop.call(["A"], { input: '{"a":["\\"retry_of\\":\\"x\\","]}' });
  await kill(shop, "A", { queue });
  await shop.call(["B"]);
  const changes = await shop.changes(async () =>
    expect(await shop.orders.retry({ orderId: "A", newId: "C" })).toMatchObject({
      order: { queue, number: 3, input: { a: ['"retry_of":"x",'] }, retry_of: "A", position: 2 },
    }),
  );
  expect(changes).toMatchObject({
    "calls:count:thumbs": "string: 2 → string: 3",
    "calls:thumbs": "zset: A time, B time → zset: A time, B time, C time",
    dead: "zset: A time → nothing",
    "waiting:thumbs": "zset: B 2 → zset: B 2, C 3",
  });
  expect(changes).not.toHaveProperty(["numbers:date"]);
});

test("orders that are placed in the same tick come behind it, as their numbers say", async () => {
  await using shop = await openDead();
  await Promise.all([shop.place(["C"]), shop.orders.retry({ orderId: "A", newId: "B" })]);
  await shop.place(["D"]);
  expect(await shop.state()).toMatchObject({
    "queue:default": "stream: B, C, D",
    "waiting:default": "zset: B number 2, C number 3, D number 4",
  });
});

test("only a dead order is made again", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["ready", "cancelled", "brewing", "queued"]);
  await shop.start("Grace");
  await shop.orders.finish({ orderId: "ready" });
  await shop.orders.cancel({ orderId: "cancelled", canceller: "customer", reason: "customer" });
  await shop.start("Grace");
  const retry = (orderId: string) => shop.orders.retry({ orderId, newId: "new" });
  const changes = await shop.changes(async () => {
    expect(await retry("nobody's")).toEqual({ kind: "unknown" });
    expect(await retry("queued")).toEqual({ kind: "conflict", status: "queued", barista: "" });
    expect(await retry("brewing")).toEqual({ kind: "conflict", status: "brewing", barista: "Grace" });
    expect(await retry("ready")).toEqual({ kind: "conflict", status: "ready", barista: "Grace" });
    expect(await retry("cancelled")).toEqual({ kind: "conflict", status: "cancelled", barista: "" });
  });
  expect(changes).toEqual({});
});

test("a reservation that was cancelled as one that can't be made was never for anything: it is no dead letter", async () => {
  await using shop = await TestOrders.open();
  await shop.client.hset(shop.key("code"), { code: "CODE", remaining: 3, ends_at: Date.now() + 3_600_000 });
  await shop.orders.reserve({ orderId: "A", draft: { code: "CODE" } });
  await shop.orders.cancel({ orderId: "A", canceller: "barista", reason: "machine_error" });
  expect(await shop.orders.dead({ limit: 10 })).toEqual({ kind: "page", orders: [] });
  const outcome = await shop.orders.retry({ orderId: "A", newId: "B" });
  expect(outcome).toEqual({ kind: "conflict", status: "cancelled", barista: "" });
});

test("a damaged order is not made again, and others of the same tick are", async () => {
  await using shop = await openDead();
  await shop.place(["B"]);
  await kill(shop, "B");
  await shop.client.set(shop.key("order:A"), "garbage");
  const outcomes = await Promise.all([
    shop.orders.retry({ orderId: "A", newId: "A2" }),
    shop.orders.retry({ orderId: "B", newId: "B2" }),
  ]);
  expect(outcomes).toMatchObject([{ kind: "damaged" }, { kind: "retried", orderId: "B2" }]);
});

test("a retry that is sent again answers the same, whatever has become of the new order", async () => {
  await using shop = await openDead();
  const { orders, last } = shop.recorded();
  await orders.retry({ orderId: "A", newId: "B" });
  const { answer, sendAgain } = last();
  await kill(shop, "B");
  expect(await shop.changes(async () => expect(await sendAgain()).toEqual(answer))).toEqual({});
});

test("an Idempotency-Key that reads like that of a retry keeps no order from being made again", async () => {
  await using shop = await openDead();
  await shop.place(["X"], { idempotencyKey: "retry A" });
  expect(await shop.orders.retry({ orderId: "A", newId: "B" })).toMatchObject({ kind: "retried", orderId: "B" });
});
