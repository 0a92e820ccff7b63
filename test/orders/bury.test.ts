/** Owns the tests of operations/bury.lua: demands that are dead letters from the start. */
import { expect, test } from "bun:test";
import type { Burial } from "../../src/orders/operations/bury.ts";
import { QUEUE_RULES, TestOrders } from "../support/orders.ts";

const { name: queue } = QUEUE_RULES;
const BURIED_KEPT = 1000;

function burialOf(orderId: string, own: Partial<Burial> = {}): Burial {
  return { orderId, queue, input: '{"no":"url"}', error: 'it has no "url"', idempotencyKey: `k-${orderId}`, ...own };
}

async function openShop(): Promise<TestOrders> {
  const shop = await TestOrders.open();
  await shop.declare();
  return shop;
}

test("a buried demand is an order of its queue that is cancelled from the start", async () => {
  await using shop = await openShop();
  const changes = await shop.changes(async () =>
    expect(await shop.orders.bury(burialOf("A"))).toEqual({ kind: "buried" }),
  );
  expect(changes).toEqual({
    buried: "nothing → zset: A time",
    "calls:count:thumbs": "nothing → string: 1",
    "calls:thumbs": "nothing → zset: A time",
    dead: "nothing → zset: A time",
    "events.1": "nothing → order.cancelled A",
    "once:k-A": "nothing → string with TTL: A -",
    "order:A": "nothing → order with TTL",
    "order:A.attempts": "nothing → 0",
    "order:A.details": 'nothing → {"queue":"thumbs"}',
    "order:A.entry": "nothing → not in the queue",
    "order:A.failure": 'nothing → "it has no \\"url\\""',
    "order:A.finished_at": "nothing → time",
    "order:A.idempotency_key": "nothing → k-A",
    "order:A.input": 'nothing → {"no":"url"}',
    "order:A.number": "nothing → 1",
    "order:A.placed_at": "nothing → time",
    "order:A.queue": "nothing → thumbs",
    "order:A.queue_number": "nothing → 1",
    "order:A.reason": "nothing → machine_error",
    "order:A.status": "nothing → cancelled",
  });
  expect(await shop.ttlMs("order:A")).toBeWithin(3_500_000, 3_600_001);
  expect(await shop.orders.inspect(10)).toEqual({ keys: [], orders: [], unevenQueues: [] });
});

test("under one key a demand is buried once", async () => {
  await using shop = await openShop();
  await shop.orders.bury(burialOf("A"));
  const changes = await shop.changes(async () => {
    expect(await shop.orders.bury(burialOf("A"))).toEqual({ kind: "joined" });
    expect(await shop.orders.bury(burialOf("B", { idempotencyKey: "k-A", input: "2" }))).toEqual({ kind: "joined" });
    expect(await shop.orders.bury(burialOf("C", { queue: "mail" }))).toEqual({ kind: "unknown" });
  });
  expect(changes).toEqual({});
  expect(await Promise.all([shop.orders.bury(burialOf("D")), shop.orders.bury(burialOf("D"))])).toEqual([
    { kind: "buried" },
    { kind: "joined" },
  ]);
});

test("it takes no place of its queue, and is made again as others are", async () => {
  await using shop = await openShop();
  await shop.declare({ capacity: 1 });
  const [, called] = await Promise.all([
    shop.orders.bury(burialOf("A")),
    shop.orders.call({ orderId: "B", queue, input: "1" }),
  ]);
  expect(called).toEqual({ kind: "placed", orderId: "B" });
  const retried = await shop.orders.retry({ orderId: "A", newId: "C" });
  expect(retried).toMatchObject({ order: { input: { no: "url" }, number: 3, status: "queued" } });
});

test("beyond the newest thousand, a buried demand goes at once, with what names it in lists", async () => {
  await using shop = await openShop();
  const ids = Array.from({ length: BURIED_KEPT }, (_, index) => `order-${String(index).padStart(4, "0")}`);
  await shop.call(["dead"]);
  await shop.start("Grace", { queue });
  await shop.orders.fail({ orderId: "dead", error: "no", retry: false, retryAfterMs: 0 });
  for (let first = 0; first < BURIED_KEPT; first += 250)
    await Promise.all(ids.slice(first, first + 250).map((id) => shop.orders.bury(burialOf(id))));
  expect(await shop.client.zcard(shop.key("buried"))).toBe(BURIED_KEPT);
  await Promise.all(["x", "y"].map((id) => shop.orders.bury(burialOf(id))));
  const kept = await shop.client.zrange(shop.key("buried"), "0", "-1");
  expect(kept).toHaveLength(BURIED_KEPT);
  expect(kept).not.toContain("order-0000");
  expect(kept).toContain("x");
  expect(await shop.client.exists(shop.key("order:order-0000"), shop.key("order:order-0001"))).toBe(0);
  const dead = await shop.client.zrange(shop.key("dead"), "0", "-1");
  expect(dead.toSorted()).toEqual([...kept, "dead"].toSorted());
  // What still names it is dropped in time, and it can be buried again.
  expect(await shop.orders.bury(burialOf("order-0000"))).toEqual({ kind: "buried" });
});
