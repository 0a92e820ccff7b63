/** Owns the tests of find-order.lua and measure-queue.lua. */
import { expect, test } from "bun:test";
import { TestOrders } from "../support/orders.ts";
import { until } from "../support/until.ts";

test("an order is found as it is on the wire, and looking changes nothing", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A"], { draft: { item: "mocha", note: "hot", customer_id: "c1", customer_name: "Ada" } });
  const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string;
  const changes = await shop.changes(async () => {
    expect(await shop.orders.find("A")).toEqual({
      kind: "found",
      status: "queued",
      order: {
        order_id: "A",
        number: 1,
        status: "queued",
        item: "mocha",
        price: 450,
        note: "hot",
        customer_id: "c1",
        customer_name: "Ada",
        attempts: 0,
        placed_at: time,
        position: 1,
      },
    });
    expect(await shop.orders.find("B")).toEqual({ kind: "unknown" });
  });
  expect(changes).toEqual({});

  await shop.start("Grace");
  await shop.orders.finish({ orderId: "A" });
  const found = await shop.orders.find("A");
  expect(found).toMatchObject({ order: { status: "ready", barista: "Grace", started_at: time, finished_at: time } });
  expect(found).not.toHaveProperty("order.position");
  expect(found).not.toHaveProperty("order.eta_seconds");
});

test("the position counts the queued orders up to this one", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A", "B", "C"]);
  await shop.place(["D"], { queue: "patio" });
  const positions = async () => {
    const found = await Promise.all(["A", "B", "C", "D"].map((id) => shop.orders.find(id)));
    return found.map((outcome) => (outcome.kind === "found" ? outcome.order.position : null));
  };
  expect(await positions()).toEqual([1, 2, 3, 1]);
  await shop.start("Grace");
  expect(await positions()).toEqual([undefined, 1, 2, 1]);
  await shop.orders.cancel({ orderId: "B", canceller: "customer", reason: "customer" });
  expect(await positions()).toEqual([undefined, undefined, 1, 1]);
  await shop.orders.release({ orderId: "A" });
  expect(await positions()).toEqual([1, undefined, 2, 1]);
});

test("with history, the expected wait is the median of the queue's waits less the time waited", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A"]);
  await shop.place(["B"], { queue: "patio" });
  await shop.client.rpush(shop.key("waits:default"), 90_000, 10_000, 500_000);
  await shop.age("A", 30_000);
  const found = await shop.orders.find("A");
  const etaSeconds = found.kind === "found" ? found.order.eta_seconds : undefined;
  expect(etaSeconds).toBeGreaterThan(30);
  expect(etaSeconds).toBeLessThanOrEqual(60);
  expect(await shop.orders.find("B")).not.toHaveProperty("order.eta_seconds");
});

test("who has waited longer than usual is expected any moment", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A"]);
  await shop.client.rpush(shop.key("waits:default"), 1000);
  await shop.age("A", 60_000);
  expect(await shop.orders.find("A")).toMatchObject({ order: { eta_seconds: 0 } });
});

test("a find of a damaged order says so, and the others are found", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A"]);
  await shop.client.set(shop.key("order:broken"), "no order");
  const outcomes = await Promise.all(["A", "broken", "B"].map((id) => shop.orders.find(id)));
  expect(outcomes.map(({ kind }) => kind)).toEqual(["found", "damaged", "unknown"]);
});

test("a queue is measured by its queued and brewing orders and how long the oldest waits", async () => {
  await using shop = await TestOrders.open();
  expect(await shop.orders.measure("default")).toEqual({
    depth: 0,
    brewing: 0,
    oldestWaitingSeconds: null,
    damaged: 0,
  });
  await shop.place(["A", "B", "C", "D"]);
  await shop.place(["E"], { queue: "patio" });
  await shop.start("Grace");
  await shop.start("Grace");
  await shop.orders.finish({ orderId: "A" });
  await shop.age("C", 60_000);
  const measure = await shop.orders.measure("default");
  expect(measure).toMatchObject({ depth: 2, brewing: 1 });
  expect(measure.oldestWaitingSeconds).toBeGreaterThanOrEqual(60);
  expect(await shop.orders.measure("patio")).toMatchObject({ depth: 1, brewing: 0 });
  await until(
    async () =>
      ((await shop.orders.measure("default")).oldestWaitingSeconds ?? 0) > (measure.oldestWaitingSeconds ?? 0),
    "the wait grows",
  );
});
