/** Owns the tests of operations/finish.lua. */
import { expect, test } from "bun:test";
import type { StartOf } from "../../src/orders/outcomes.ts";
import { TestOrders } from "../support/orders.ts";
import { until } from "../support/until.ts";

const HOUR_MS = 3_600_000;

test("a finished order is ready, off the queue, and no bell rings where none may hear it", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A", "B"], { idempotencyKey: "" });
  await shop.start("Grace", { claimId: "c1" });
  const changes = await shop.changes(async () => {
    expect(await shop.orders.finish({ orderId: "A", barista: "Grace" })).toMatchObject({
      kind: "changed",
      order: { order_id: "A", status: "ready", barista: "Grace" },
    });
  });
  expect(changes).toEqual({
    claims: "hash: c1 for A → nothing",
    "events.4": "nothing → order.finished A",
    "leases:default": "zset: A time → nothing",
    "order:A": "order → order with TTL",
    "order:A.entry": "in the queue → not in the queue",
    "order:A.claim": "c1 → nothing",
    "order:A.finished_at": "nothing → time",
    "order:A.status": "brewing → ready",
    "queue:default": "stream: A, B → stream: B",
    "spent:now": "nothing → set with TTL: c1",
    "waits:default": "nothing → list with TTL: a wait",
  });
});

test("the claim of a final order is forgotten once nothing of it can be on its way", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A", "B"]);
  await shop.start("Grace", { claimId: "c1" });
  await shop.orders.finish({ orderId: "A" });
  const spent = await shop.client.keys(shop.key("spent:*"));
  for (const key of spent) expect(await shop.client.pttl(key)).toBeWithin(10_000, 20_001);
  expect(spent).toHaveLength(1);
  await shop.client.del(...spent);
  expect(await shop.start("Grace", { claimId: "c1" })).toBe("B");
});

test("a claim that was spent in the period before this one is remembered too", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A", "B"]);
  await shop.start("Grace", { claimId: "c1" });
  await shop.orders.finish({ orderId: "A" });
  const [now = ""] = await shop.client.keys(shop.key("spent:*"));
  const period = Number(now.slice(now.lastIndexOf(":") + 1));
  await shop.client.rename(now, shop.key(`spent:${period - 1}`));
  expect(await shop.start("Grace", { claimId: "c1" })).toBeNull();
});

test("a final order and its Idempotency-Key are kept for the retention from then on, its bell for minutes", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A"], { idempotencyKey: "k", holder: "another replica" });
  await shop.client.pexpire(shop.key("once:k"), 60_000);
  await shop.start("Grace");
  await shop.ordersWith({ retentionHours: 5 }).finish({ orderId: "A" });
  for (const name of ["order:A", "once:k"]) {
    const ttlMs = await shop.ttlMs(name);
    expect(ttlMs).toBeGreaterThan(4 * HOUR_MS);
    expect(ttlMs).toBeLessThanOrEqual(5 * HOUR_MS);
  }
  const bellMs = await shop.ttlMs("bell:A");
  // Longer than a block of a lane.
  expect(bellMs).toBeGreaterThan(60_000);
  expect(bellMs).toBeLessThanOrEqual(120_000);
});

test("finishing again answers the same, by the same barista or without a name", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A"]);
  await shop.start("Grace");
  const first = await shop.orders.finish({ orderId: "A", barista: "Grace" });
  const changes = await shop.changes(async () => {
    expect(await shop.orders.finish({ orderId: "A", barista: "Grace" })).toEqual(first);
    expect(await shop.orders.finish({ orderId: "A" })).toEqual(first);
  });
  expect(changes).toEqual({});
});

test("one order finished twice in one tick is finished once", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A"], { holder: "another replica" });
  await shop.start("Grace");
  const [first, second] = await Promise.all([
    shop.orders.finish({ orderId: "A" }),
    shop.orders.finish({ orderId: "A" }),
  ]);
  expect(second).toEqual(first);
  const state = await shop.state();
  expect(state).toMatchObject({ "bell:A": 'list with TTL: "", ""', "waits:default": "list with TTL: a wait" });
  expect(Object.keys(state).filter((line) => line.startsWith("events."))).toHaveLength(3);
});

test("what can't be finished is refused with the order's state, and nothing changes", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["cancelled", "ready", "brewing", "queued"]);
  await shop.orders.cancel({ orderId: "cancelled", canceller: "customer", reason: "customer" });
  await shop.start("Grace");
  await shop.orders.finish({ orderId: "ready" });
  await shop.start("Grace");
  const refusal = (orderId: string, barista?: string) => shop.orders.finish({ orderId, barista });
  const changes = await shop.changes(async () => {
    expect(await refusal("nobody's")).toEqual({ kind: "unknown" });
    expect(await refusal("queued")).toEqual({ kind: "conflict", status: "queued", barista: "" });
    expect(await refusal("brewing", "Linus")).toEqual({ kind: "conflict", status: "brewing", barista: "Grace" });
    expect(await refusal("ready", "Linus")).toEqual({ kind: "conflict", status: "ready", barista: "Grace" });
    expect(await refusal("cancelled")).toEqual({ kind: "conflict", status: "cancelled", barista: "" });
  });
  expect(changes).toEqual({});
});

test("a barista whose lease ran out may still finish, until another has the order", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A", "B"]);
  await shop.startAndLoseLease("Grace");
  expect(await shop.orders.finish({ orderId: "A", barista: "Grace" })).toMatchObject({ kind: "changed" });
  expect(await shop.state()).toMatchObject({ "order:A.status": "ready", "queue:default": "stream: B" });

  await shop.startAndLoseLease("Grace");
  expect(await shop.start("Linus")).toBe("B");
  expect(await shop.orders.finish({ orderId: "B", barista: "Grace" })).toEqual({
    kind: "conflict",
    status: "brewing",
    barista: "Linus",
  });
});

test("only the latest waits are kept", async () => {
  await using shop = await TestOrders.open();
  const ids = Array.from({ length: 120 }, (_, index) => `order-${index}`);
  await shop.place(ids);
  await Promise.all(ids.map(() => shop.start("Grace")));
  for (const orderId of ids) await shop.orders.finish({ orderId });
  expect(await shop.client.llen(shop.key("waits:default"))).toBe(51);
  const ttlMs = await shop.ttlMs("waits:default");
  expect(ttlMs).toBeGreaterThan(23 * HOUR_MS);
  expect(ttlMs).toBeLessThanOrEqual(24 * HOUR_MS);
});

test("each queue has its waits, and the newest replace the oldest", async () => {
  await using shop = await TestOrders.open();
  const waits = (queue: string) => shop.client.lrange(shop.key(`waits:${queue}`), 0, -1);
  const DAY_MS = 24 * HOUR_MS;
  await shop.client.rpush(shop.key("waits:default"), ...Array.from({ length: 51 }, (_, index) => index * DAY_MS));
  await shop.place(["A", "B", "C"]);
  await shop.place(["D"], { queue: "patio" });
  for (const queue of ["default", "default", "default", "patio"]) await shop.start("Grace", { queue });
  await shop.orders.finish({ orderId: "A" });
  // One of those that are finished at once stands for all of them.
  await Promise.all(["B", "C", "D"].map((orderId) => shop.orders.finish({ orderId })));
  const [first, second, ...rest] = await waits("default");
  expect(Number(first)).toBeLessThan(HOUR_MS);
  expect(Number(second)).toBeLessThan(HOUR_MS);
  expect(rest.map(Number)).toEqual(Array.from({ length: 49 }, (_, index) => index * DAY_MS));
  expect(await waits("patio")).toHaveLength(1);
  for (const queue of ["default", "patio"]) expect(await shop.ttlMs(`waits:${queue}`)).toBeGreaterThan(23 * HOUR_MS);
});

test("a finish of a damaged order says so, and the others are finished", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A", "B"]);
  await shop.client.set(shop.key("order:broken"), "no order");
  await shop.start("Grace");
  await shop.start("Grace");
  const outcomes = await Promise.all(["A", "broken", "B"].map((orderId) => shop.orders.finish({ orderId })));
  expect(outcomes.map(({ kind }) => kind)).toEqual(["changed", "damaged", "changed"]);
  expect(await shop.state()).toMatchObject({ "order:A.status": "ready", "order:B.status": "ready" });
});

test("a finish of one start is refused once the order was started again, by whomever", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A"]);
  const startOf = async (): Promise<StartOf> => {
    const outcome = await shop.orders.start({ barista: "Grace", queue: "default" });
    if (outcome.kind !== "started") throw new Error(outcome.kind);
    const { attempts, started_at = "" } = outcome.order;
    return { attempts, startedAt: started_at };
  };
  const first = await startOf();
  await until(async () => {
    await shop.orders.release({ orderId: "A", isUncounted: true });
    return (await startOf()).startedAt !== first.startedAt;
  }, "it is started in another millisecond");
  const late = await shop.orders.finish({ orderId: "A", barista: "Grace", start: first });
  expect(late).toMatchObject({ kind: "conflict", status: "brewing", barista: "Grace" });
  expect(await shop.orders.finish({ orderId: "A", barista: "Grace" })).toMatchObject({ kind: "changed" });
  // Also for what was finished since.
  expect((await shop.orders.finish({ orderId: "A", start: first })).kind).toBe("conflict");
});
