/** Owns the tests of due-orders.lua and operations/expire.lua. */
import { expect, test } from "bun:test";
import { TestOrders } from "../support/orders.ts";
import { until } from "../support/until.ts";

test("without leases there is nothing to look after", async () => {
  await using shop = await TestOrders.open();
  expect(await shop.orders.expire()).toEqual({ nextMs: null, cancelled: 0 });
  await shop.place(["A"]);
  expect(
    await shop.changes(async () => expect(await shop.orders.expire()).toEqual({ nextMs: null, cancelled: 0 })),
  ).toEqual({});
});

test("it says when the next lease of any queue runs out", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A"]);
  await shop.place(["B"], { queue: "patio" });
  await shop.start("Grace", { orders: shop.ordersWith({ leaseSeconds: 600 }) });
  const changes = await shop.changes(async () => {
    const { nextMs } = await shop.orders.expire();
    expect(nextMs).toBeGreaterThan(540_000);
    expect(nextMs).toBeLessThanOrEqual(600_000);
  });
  expect(changes).toEqual({});
  await shop.start("Grace", { queue: "patio", orders: shop.ordersWith({ leaseSeconds: 300 }) });
  expect((await shop.orders.expire()).nextMs).toBeLessThanOrEqual(300_000);
});

test("orders whose lease ran out are offered to waiting baristas, and stay with theirs until one comes", async () => {
  await using shop = await TestOrders.open();
  expect(await shop.startOrWait("Ada")).toBeNull();
  await shop.place(["A", "B", "C"]);
  await shop.start("Linus");
  expect(await shop.startAndLoseLease("Grace")).toBe("B");
  // A barista waits at another queue's end until now, and one here.
  const wakes = await shop.wakes();
  const changes = await shop.changes(async () => {
    const { nextMs, cancelled } = await shop.orders.expire();
    expect(cancelled).toBe(0);
    expect(nextMs).toBeGreaterThan(0);
  });
  expect(changes).toEqual({});
  await until(() => wakes.length > 0, "a barista is woken");
  expect(wakes).toEqual(["1 default"]);
  expect(await shop.orders.finish({ orderId: "B", barista: "Grace" })).toMatchObject({ kind: "changed" });
});

test("an order that no barista finished in its last attempt is cancelled, and a customer elsewhere is notified", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A", "B"], { holder: "another replica" });
  for (const barista of ["Grace", "Linus", "Ada"]) expect(await shop.startAndLoseLease(barista)).toBe("A");
  const changes = await shop.changes(async () =>
    expect(await shop.orders.expire()).toEqual({ nextMs: null, cancelled: 1 }),
  );
  expect(changes).toEqual({
    "bell:A": 'nothing → list with TTL: "", ""',
    dead: "nothing → zset: A time",
    "events.6": "nothing → order.cancelled A",
    "leases:default": "zset: A time → nothing",
    "order:A": "order → order with TTL",
    "order:A.entry": "in the queue → not in the queue",
    "order:A.finished_at": "nothing → time",
    "order:A.reason": "nothing → barista_timeout",
    "order:A.status": "brewing → cancelled",
    "queue:default": "stream: A, B → stream: B",
  });
  expect(await shop.changes(() => shop.orders.expire())).toEqual({});
});

test("with one attempt, the first lease that runs out cancels", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A"]);
  await shop.startAndLoseLease("Grace");
  expect(await shop.ordersWith({ maxAttempts: 1 }).expire()).toEqual({ nextMs: null, cancelled: 1 });
  expect(await shop.orders.find("A")).toMatchObject({
    order: { status: "cancelled", reason: "barista_timeout", barista: "Grace" },
  });
});

test("orders of all queues are looked after at once", async () => {
  await using shop = await TestOrders.open();
  const orders = shop.ordersWith({ leaseSeconds: 0.05, maxAttempts: 1 });
  for (const queue of ["default", "patio"]) {
    await shop.place([`in ${queue}`], { queue });
    await shop.start("Grace", { queue, orders });
  }
  let cancelled = 0;
  await until(async () => (cancelled += (await orders.expire()).cancelled) === 2, "both are cancelled");
});
