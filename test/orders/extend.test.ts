/** Owns the tests of operations/extend.lua. */
import { expect, test } from "bun:test";
import { TestOrders } from "../support/orders.ts";
import { until } from "../support/until.ts";

const deadlineOf = async (shop: TestOrders, id: string) =>
  Number(await shop.client.zscore(shop.key("leases:default"), id));

test("an extended order has a new lease", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A"]);
  await shop.start("Grace", { claimId: "c1", orders: shop.ordersWith({ leaseSeconds: 60 }) });
  const before = await deadlineOf(shop, "A");
  const changes = await shop.changes(async () => {
    expect(await shop.ordersWith({ leaseSeconds: 600 }).extend({ orderId: "A", barista: "Grace" })).toMatchObject({
      kind: "changed",
      order: { order_id: "A", status: "brewing", barista: "Grace", attempts: 1 },
    });
  });
  expect(changes).toEqual({ "events.3": "nothing → order.extended A" });
  expect((await deadlineOf(shop, "A")) - before).toBeGreaterThanOrEqual(540_000);
});

test("an extension that is sent again does not extend again", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A"]);
  await shop.start("Grace");
  const { orders, last } = shop.recorded({ leaseSeconds: 60 });
  await orders.extend({ orderId: "A" });
  const { answer, sendAgain } = last();
  const deadline = await deadlineOf(shop, "A");
  await until(async () => Number((await shop.client.time())[0]) * 1000 > deadline - 59_000, "time goes on");
  expect(await shop.changes(async () => expect(await sendAgain()).toEqual(answer))).toEqual({});
  expect(await deadlineOf(shop, "A")).toBe(deadline);

  await orders.extend({ orderId: "A" });
  expect(await deadlineOf(shop, "A")).toBeGreaterThan(deadline);
});

test("only who holds a brewing order may extend it", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["cancelled", "brewing", "queued"]);
  await shop.orders.cancel({ orderId: "cancelled", canceller: "customer", reason: "customer" });
  await shop.start("Grace");
  const refusal = (orderId: string, barista?: string) => shop.orders.extend({ orderId, barista });
  const changes = await shop.changes(async () => {
    expect(await refusal("nobody's")).toEqual({ kind: "unknown" });
    expect(await refusal("queued")).toEqual({ kind: "conflict", status: "queued", barista: "" });
    expect(await refusal("brewing", "Linus")).toEqual({ kind: "conflict", status: "brewing", barista: "Grace" });
    expect(await refusal("cancelled")).toEqual({ kind: "conflict", status: "cancelled", barista: "" });
  });
  expect(changes).toEqual({});
});

test("an order extended after its lease ran out is not offered to others", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A"]);
  await shop.startAndLoseLease("Grace");
  expect(await shop.orders.extend({ orderId: "A", barista: "Grace" })).toMatchObject({ kind: "changed" });
  expect(await shop.start("Linus")).toBeNull();
  expect(await shop.orders.finish({ orderId: "A", barista: "Grace" })).toMatchObject({ kind: "changed" });
});
