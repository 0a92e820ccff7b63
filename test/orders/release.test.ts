/** Owns the tests of operations/release.lua. */
import { expect, test } from "bun:test";
import { TestOrders } from "../support/orders.ts";
import { until } from "../support/until.ts";

test("a released order stands at its old position in the queue, and no barista holds it", async () => {
  await using shop = await TestOrders.open();
  expect(await shop.startOrWait("Ada")).toBeNull();
  await shop.place(["A", "B"]);
  await shop.start("Grace", { claimId: "c1" });
  const wakes = await shop.wakes();
  const changes = await shop.changes(async () => {
    const outcome = await shop.orders.release({ orderId: "A", barista: "Grace" });
    expect(outcome).toMatchObject({ kind: "changed", order: { order_id: "A", status: "queued", attempts: 1 } });
    expect(outcome).not.toHaveProperty("order.barista");
  });
  expect(changes).toEqual({
    claims: "hash: c1 for A → nothing",
    "events.4": "nothing → order.released A",
    "leases:default": "zset: A time → nothing",
    "order:A.status": "brewing → queued",
    "order:A.barista": '"Grace" → nothing',
    "order:A.claim": "c1 → nothing",
    "order:A.started_at": "time → nothing",
    "waiting:default": "zset: B number 2 → zset: A number 1, B number 2",
  });
  await until(() => wakes.length > 0, "a barista is woken");
  expect(wakes).toEqual(["1 default"]);
});

test("only who holds a brewing order may release it", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["ready", "brewing", "queued"]);
  await shop.start("Grace");
  await shop.orders.finish({ orderId: "ready" });
  await shop.start("Grace");
  const refusal = (orderId: string, barista?: string) => shop.orders.release({ orderId, barista });
  const changes = await shop.changes(async () => {
    expect(await refusal("nobody's")).toEqual({ kind: "unknown" });
    expect(await refusal("queued")).toEqual({ kind: "conflict", status: "queued", barista: "" });
    expect(await refusal("brewing", "Linus")).toEqual({ kind: "conflict", status: "brewing", barista: "Grace" });
    expect(await refusal("ready", "Grace")).toEqual({ kind: "conflict", status: "ready", barista: "Grace" });
  });
  expect(changes).toEqual({});
});

test("a release that is sent again changes nothing, whichever barista has the order by then", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A"]);
  await shop.start("Grace");
  const { orders, last } = shop.recorded();
  expect(await orders.release({ orderId: "A" })).toMatchObject({ kind: "changed", order: { status: "queued" } });
  const { answer, sendAgain } = last();
  expect(await shop.changes(async () => expect(await sendAgain()).toEqual(answer))).toEqual({});
  await shop.start("Linus");
  expect(await shop.changes(async () => expect(await sendAgain()).toEqual(answer))).toEqual({});
});

test("releasing twice is refused the second time", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A"]);
  await shop.start("Grace");
  await shop.orders.release({ orderId: "A" });
  expect(await shop.orders.release({ orderId: "A" })).toEqual({ kind: "conflict", status: "queued", barista: "" });
});

test("an order whose lease ran out can be released by who held it", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A"]);
  await shop.startAndLoseLease("Grace");
  expect(await shop.orders.release({ orderId: "A", barista: "Grace" })).toMatchObject({ kind: "changed" });
  const state = await shop.state();
  expect(state).toMatchObject({ "order:A.status": "queued", "waiting:default": "zset: A number 1" });
  expect(state).not.toHaveProperty(["leases:default"]);
  expect(state).not.toHaveProperty(["order:A.expiries"]);
});

test("a start that does not count as an attempt leaves the order as it was before it", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A", "B"]);
  const before = await shop.state();
  await shop.start("Grace", { claimId: "c1" });
  expect(await shop.orders.release({ orderId: "A", barista: "Grace", isUncounted: true })).toMatchObject({
    kind: "changed",
    order: { status: "queued", attempts: 0 },
  });
  const {
    "events.3": started,
    "events.4": released,
    "queue:default.consumers": _consumers,
    ...after
  } = await shop.state();
  expect([started, released]).toEqual(["order.started A", "order.released A"]);
  expect(after).toEqual(before);
});

test("only the last start is not counted, and leases that ran out still are", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A"]);
  await shop.start("Grace");
  await shop.orders.fail({ orderId: "A", error: "no", retry: true, retryAfterMs: 0 });
  await shop.startAndLoseLease("Grace");
  await shop.start("Linus");
  expect(await shop.orders.find("A")).toMatchObject({ order: { attempts: 3 } });
  await shop.orders.release({ orderId: "A", isUncounted: true });
  expect(await shop.record("A")).toMatchObject({ attempts: "2", expiries: "1", failure: '"no"' });
  expect(await shop.orders.release({ orderId: "A", isUncounted: true })).toMatchObject({ kind: "conflict" });
});

test("however often a start does not count, the order is never cancelled for it", async () => {
  await using shop = await TestOrders.open();
  const orders = shop.ordersWith({ maxAttempts: 1 });
  await shop.place(["A"]);
  for (let start = 0; start < 5; start += 1) {
    expect(await shop.start("Grace")).toBe("A");
    await orders.release({ orderId: "A", isUncounted: true });
  }
  await shop.start("Grace");
  expect(await orders.fail({ orderId: "A", error: "no", retry: true, retryAfterMs: 0 })).toMatchObject({
    order: { status: "cancelled", attempts: 1 },
  });
});
