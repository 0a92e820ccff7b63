/** Owns the tests of orders for later: placed or called with a time, not started before, queued by requeue.lua. */
import { expect, test } from "bun:test";
import { loadScript } from "../../src/redis/script.ts";
import { QUEUE_RULES, TestOrders } from "../support/orders.ts";
import { until } from "../support/until.ts";

const HOUR_MS = 3_600_000;
const { name: queue } = QUEUE_RULES;
const later = (ms = HOUR_MS) => new Date(Date.now() + ms).toISOString();

/** A shop whose order A is scheduled, and whose order B is queued. */
async function openScheduled(): Promise<TestOrders> {
  const shop = await TestOrders.open();
  await shop.place(["A"], { draft: { not_before: later(), customer_id: "c1" } });
  await shop.place(["B"]);
  return shop;
}

test("an order for later is scheduled: it has its number, and stands in no line", async () => {
  await using shop = await TestOrders.open();
  const changes = await shop.changes(async () => {
    const draft = { item: "latte", not_before: "2099-01-01T10:00:00+02:00", customer_id: "c1" };
    expect(await shop.orders.place({ orderId: "Z", queue: "default", draft })).toMatchObject({ why: "not_before_far" });
    const placement = { orderId: "A", queue: "default", draft: { ...draft, not_before: later() }, holder: "replica" };
    expect(await shop.orders.place(placement)).toEqual({ kind: "placed", orderId: "A" });
  });
  const found = await shop.orders.find("A");
  const notBefore = found.kind === "found" ? found.order.not_before : "";
  expect(Date.parse(notBefore ?? "")).toBe(Number((await shop.record("A")).due));
  expect(changes).toEqual({
    "events.1": "nothing → order.scheduled A",
    "numbers:date": "nothing → string with TTL: 1",
    "open:of:c1": "nothing → set: A",
    "order:A": "nothing → order",
    "order:A.attempts": "nothing → 0",
    "order:A.customer": 'nothing → "c1"',
    "order:A.details": `nothing → {"customer_id":"c1","not_before":"${notBefore}"}`,
    "order:A.due": "nothing → time",
    "order:A.entry": "nothing → in the queue",
    "order:A.holder": "nothing → a replica",
    "order:A.item": "nothing → latte",
    "order:A.number": "nothing → 1",
    "order:A.placed_at": "nothing → time",
    "order:A.price": "nothing → 400",
    "order:A.queue": "nothing → default",
    "order:A.queue_number": "nothing → number 1",
    "order:A.status": "nothing → scheduled",
    orders: "nothing → zset: A time",
    "orders:of:c1": "nothing → zset with TTL: A time",
    "queue:default": "nothing → stream: A",
    queues: "nothing → set: default",
    "scheduled:default": "nothing → zset: A time",
  });
  expect(found).toMatchObject({ status: "scheduled" });
  expect(found).not.toHaveProperty("order.position");
});

test("a time that is over, or more than seven days ahead, is refused", async () => {
  await using shop = await TestOrders.open();
  const place = (not_before: string) => shop.orders.place({ orderId: "A", queue: "default", draft: { not_before } });
  const changes = await shop.changes(async () => {
    expect(await place("2020-01-01T00:00:00Z")).toEqual({ kind: "refused", why: "not_before_past", subject: "" });
    expect(await place(later(7 * 24 * HOUR_MS + 60_000))).toMatchObject({ why: "not_before_far" });
  });
  expect(changes).toEqual({});
  expect(await place(later(7 * 24 * HOUR_MS - 60_000))).toEqual({ kind: "placed", orderId: "A" });
});

test("none starts it before: not as the next one, not by its id; and no other change is taken", async () => {
  await using shop = await openScheduled();
  expect(await shop.start("Grace")).toBe("B");
  const conflict = { kind: "conflict", status: "scheduled", barista: "" } as const;
  const changes = await shop.changes(async () => {
    expect(await shop.start("Grace")).toBeNull();
    const { orders } = shop;
    expect(await orders.start({ barista: "Grace", queue: "default", orderId: "A", claimId: "c" })).toEqual(conflict);
    expect(await orders.finish({ orderId: "A" })).toEqual(conflict);
    expect(await orders.fail({ orderId: "A", error: "no", retry: true, retryAfterMs: 0 })).toEqual(conflict);
    expect(await orders.release({ orderId: "A" })).toEqual(conflict);
    expect(await orders.extend({ orderId: "A" })).toEqual(conflict);
    expect(await orders.progress({ orderId: "A", progress: "{}" })).toEqual(conflict);
    expect(await orders.retry({ orderId: "A", newId: "C" })).toEqual(conflict);
    expect(await orders.complete({ orderId: "A", queue: "default", completion: {} })).toEqual(conflict);
  });
  expect(changes).toEqual({});
});

test("it is not due before its time, and the sweeper knows when that is", async () => {
  await using shop = await openScheduled();
  const changes = await shop.changes(async () => {
    const { nextMs } = await shop.orders.expire();
    expect(nextMs).toBeWithin(HOUR_MS - 60_000, HOUR_MS + 1000);
  });
  expect(changes).toEqual({});
});

test("once its time has come it is queued at its number's position, and a barista is woken", async () => {
  await using shop = await TestOrders.open();
  expect(await shop.startOrWait("Ada")).toBeNull();
  await shop.place(["A"], { draft: { not_before: later() } });
  await shop.place(["B", "C"]);
  await shop.start("Grace");
  await shop.comeDue("A");
  const wakes = await shop.wakes();
  const changes = await shop.changes(() => shop.orders.expire());
  expect(changes).toEqual({
    "events.5": "nothing → order.queued A",
    "order:A.due": "1 → nothing",
    "order:A.status": "scheduled → queued",
    "scheduled:default": "zset: A 1 → nothing",
    "waiting:default": "zset: C number 3 → zset: A number 1, C number 3",
  });
  await until(() => wakes.length > 0, "a barista is woken");
  expect(wakes).toEqual(["1 default"]);
  expect(await shop.changes(() => shop.orders.expire())).toEqual({});
  expect(await shop.orders.find("A")).toMatchObject({ order: { position: 1 } });
  expect([await shop.start("Ada"), await shop.start("Ada"), await shop.start("Ada")]).toEqual(["A", "C", null]);
  await shop.orders.finish({ orderId: "A" });
  expect(await shop.orders.find("A")).toHaveProperty("order.not_before");
});

test("of many that are due at once, the sweeper queues the next ones without delay", async () => {
  await using shop = await TestOrders.open();
  const ids = Array.from({ length: 501 }, (_, index) => `order-${index}`);
  const draft = { not_before: later() };
  await Promise.all(ids.map((orderId) => shop.orders.place({ orderId, queue: "default", draft })));
  await Promise.all(ids.map((id) => shop.comeDue(id)));
  expect((await shop.orders.expire()).nextMs).toBe(0);
  expect(await shop.client.zcard(shop.key("waiting:default"))).toBe(500);
  expect((await shop.orders.expire()).nextMs).toBeNull();
  expect(await shop.client.zrange(shop.key("waiting:default"), "0", "-1")).toEqual(ids);
});

test("orders that come due among starts of the same tick are started once each", async () => {
  await using shop = await TestOrders.open();
  const ids = ["A", "B", "C"];
  await shop.place(ids, { draft: { not_before: later() } });
  await shop.place(["D"]);
  for (const id of ids) await shop.comeDue(id);
  const starts = async () => {
    const started = await Promise.all(["1", "2", "3", "4"].map((one) => shop.start(`Grace ${one}`)));
    return started.flatMap((id) => id ?? []);
  };
  const [, ...during] = await Promise.all([shop.orders.expire(), starts(), starts()]);
  const started = [...during.flat(), ...(await starts())].toSorted((one, other) => (one < other ? -1 : 1));
  expect(started).toEqual(["A", "B", "C", "D"]);
});

test("a scheduled order is cancelled by its customer, or by a barista, and nothing is left of it", async () => {
  await using shop = await openScheduled();
  await shop.place(["C"], { draft: { not_before: later() } });
  const changes = await shop.changes(() =>
    shop.orders.cancel({ orderId: "A", canceller: "customer", reason: "customer" }),
  );
  expect(changes).toEqual({
    "events.4": "nothing → order.cancelled A",
    "open:of:c1": "set: A → nothing",
    "order:A": "order → order with TTL",
    "order:A.due": "time → nothing",
    "order:A.entry": "in the queue → not in the queue",
    "order:A.finished_at": "nothing → time",
    "order:A.reason": "nothing → customer",
    "order:A.status": "scheduled → cancelled",
    "queue:default": "stream: A, B, C → stream: B, C",
    "scheduled:default": "zset: A time, C time → zset: C time",
  });
  const byBarista = await shop.orders.cancel({ orderId: "C", canceller: "barista", reason: "barista" });
  expect(byBarista).toMatchObject({ kind: "changed", order: { status: "cancelled", reason: "barista" } });
  expect(await shop.state()).not.toHaveProperty(["scheduled:default"]);
});

test("a call for later waits in its own queue", async () => {
  await using shop = await TestOrders.open();
  await shop.declare();
  await shop.call(["A"], { notBefore: later(), idempotencyKey: "k" });
  await shop.call(["B"]);
  expect(await shop.state()).toMatchObject({
    "events.1": "order.scheduled A",
    "scheduled:thumbs": "zset: A time",
    "waiting:thumbs": "zset: B 2",
  });
  expect(await shop.orders.listQueues([queue])).toMatchObject([{ depth: 1, scheduled: 1, brewing: 0 }]);
  await shop.comeDue("A");
  expect(await shop.changes(() => shop.orders.expire())).toMatchObject({
    "events.3": "nothing → order.queued A",
    "waiting:thumbs": "zset: B 2 → zset: A 1, B 2",
  });
  expect(await shop.start("Grace", { queue })).toBe("A");
});

test("the Idempotency-Key of an order for later is kept until then, and as long as others from there", async () => {
  await using shop = await TestOrders.open();
  await shop.declare();
  const orders = shop.ordersWith({ retentionHours: 2 });
  const draft = { not_before: later(10 * HOUR_MS) };
  await orders.place({ orderId: "A", queue: "default", draft, idempotencyKey: "a" });
  await orders.call({ orderId: "B", queue, input: "1", notBefore: later(10 * HOUR_MS), idempotencyKey: "b" });
  for (const name of ["once:a", "once:b"])
    expect(await shop.ttlMs(name)).toBeWithin(12 * HOUR_MS - 60_000, 12 * HOUR_MS + 1);
});

test("how long a scheduled order took says nothing of others: it is not among the waits", async () => {
  await using shop = await openScheduled();
  await shop.comeDue("A");
  await shop.orders.expire();
  for (const orderId of ["A", "B"]) {
    expect(await shop.start("Grace")).toBe(orderId);
    await shop.orders.finish({ orderId });
    const waits = await shop.client.llen(shop.key("waits:default"));
    expect({ orderId, waits }).toEqual({ orderId, waits: orderId === "A" ? 0 : 1 });
  }
});

test("an order for later has waited since it was queued, not since it was placed", async () => {
  await using shop = await openScheduled();
  await shop.age("A", 24 * HOUR_MS);
  await shop.comeDue("A");
  await shop.orders.expire();
  const record = (await shop.client.get(shop.key("order:A"))) ?? "";
  const dueAt = new Date(Date.now() - HOUR_MS).toISOString();
  await shop.client.set(shop.key("order:A"), record.replace(/"not_before":"[^"]*"/, `"not_before":"${dueAt}"`));
  const { oldestWaitingSeconds } = await shop.orders.measure("default");
  expect(oldestWaitingSeconds).toBeWithin(3599, 3660);
  await shop.client.rpush(shop.key("waits:default"), 2 * HOUR_MS);
  const found = await shop.orders.find("A");
  expect(found.kind === "found" && found.order.eta_seconds).toBeWithin(3540, 3602);
});

test("a damaged index keeps orders from being scheduled, and no others from being placed", async () => {
  await using shop = await TestOrders.open();
  await shop.client.set(shop.key("scheduled:default"), "of another type");
  const placement = { orderId: "A", queue: "default", draft: { not_before: later() } };
  expect(shop.orders.place(placement)).rejects.toThrow("WRONGTYPE");
  await shop.place(["B"]);
  expect(await shop.start("Grace")).toBe("B");
  await shop.client.del(shop.key("scheduled:default"));
  expect(await shop.orders.place(placement)).toMatchObject({ kind: "placed" });
});

test("an index that names it wrongly is put right by the sweeper", async () => {
  await using shop = await openScheduled();
  await shop.client.zadd(shop.key("scheduled:default"), 1, "B", 1, "nobody's", 1, "A");
  const reply = (await shop.redis.run(loadScript("due-orders"), [3])) as unknown[];
  expect(reply.slice(1)).toEqual([0, "A"]);
  // (Its record says when it is due.)
  expect(await shop.changes(() => shop.orders.expire())).toEqual({});
  expect(await shop.client.zrange(shop.key("scheduled:default"), "0", "-1")).toEqual(["A"]);
});
