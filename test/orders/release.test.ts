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
