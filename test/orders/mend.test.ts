/** Owns the tests of inspect-shop.lua and mend-queue.lua for calls, orders for later, and orders that are paid for. */
import { describe, expect, test } from "bun:test";
import { DEFAULT_QUEUE } from "../../src/orders/orders.ts";
import { QUEUE_RULES, TestOrders } from "../support/orders.ts";
import { attempt, authorise, openShop } from "../support/paid-orders.ts";

const { name: queue } = QUEUE_RULES;
const later = () => new Date(Date.now() + 3_600_000).toISOString();
const NOTHING = { keys: [], orders: [], unevenQueues: [] };

/** A shop whose calls are brewing (A), queued (B), scheduled (C) and due later (D). */
async function openCalls(): Promise<TestOrders> {
  const shop = await TestOrders.open();
  await shop.declare();
  await shop.call(["D", "A", "B"]);
  await shop.call(["C"], { notBefore: later() });
  await shop.start("Grace", { queue });
  await shop.orders.fail({ orderId: "D", error: "no", retry: true, retryAfterMs: 3_600_000 });
  await shop.start("Grace", { queue });
  return shop;
}

test("calls in each of their states agree with their stream", async () => {
  await using shop = await openCalls();
  expect(await shop.state()).toMatchObject({
    "delayed:thumbs": "zset: D time",
    "leases:thumbs": "zset: A time",
    "queue:thumbs": "stream: D, A, B, C",
    "scheduled:thumbs": "zset: C time",
    "waiting:thumbs": "zset: B 3",
  });
  const changes = await shop.changes(async () => {
    expect(await shop.orders.inspect(10)).toEqual(NOTHING);
    expect(await shop.orders.mend(queue)).toEqual({ dropped: 0, restored: 0 });
  });
  expect(changes).toEqual({});
});

test.each(["waiting", "delayed", "scheduled", "leases"])("an order that %s has lost comes back", async (index) => {
  await using shop = await openCalls();
  const before = await shop.state();
  await shop.client.del(shop.key(`${index}:${queue}`));
  expect(await shop.orders.inspect(10)).toEqual({ ...NOTHING, unevenQueues: [queue] });
  expect(await shop.orders.mend(queue)).toEqual({ dropped: 0, restored: 1 });
  expect(await shop.state()).toEqual(before);
  expect(await shop.orders.inspect(10)).toEqual(NOTHING);
});

test("a stream that is lost is made again, as far as numbers go on", async () => {
  await using shop = await openCalls();
  await shop.client.del(shop.key(`queue:${queue}`));
  expect(await shop.orders.inspect(10)).toEqual({ ...NOTHING, unevenQueues: [queue] });
  const { dropped, restored } = await shop.orders.mend(queue);
  expect({ dropped, isRestored: restored > 0 }).toEqual({ dropped: 0, isRestored: true });
  expect(await shop.start("Ada", { queue })).toBe("B");
});

test("what an index of orders for later names wrongly is dropped", async () => {
  await using shop = await openCalls();
  await shop.client.zadd(shop.key(`scheduled:${queue}`), 1, "B", 2, "nobody's");
  expect(await shop.orders.inspect(10)).toEqual({ ...NOTHING, unevenQueues: [queue] });
  expect(await shop.orders.mend(queue)).toEqual({ dropped: 2, restored: 0 });
  expect(await shop.orders.inspect(10)).toEqual(NOTHING);
});

test.each(["A", "B", "C", "D"])("%s, damaged, is set aside; put right, it goes back where it belongs", async (id) => {
  await using shop = await openCalls();
  const before = await shop.state();
  const record = (await shop.client.get(shop.key(`order:${id}`))) ?? "";
  await shop.client.set(shop.key(`order:${id}`), "garbage");
  expect(await shop.orders.find(id)).toEqual({ kind: "damaged" });
  expect(await shop.orders.cancel({ orderId: id, canceller: "customer", reason: "customer" })).toEqual({
    kind: "damaged",
  });
  expect(await shop.orders.inspect(10)).toMatchObject({ orders: [{ orderId: id }], unevenQueues: [queue] });
  await shop.orders.mend(queue);
  expect(await shop.orders.inspect(10)).toMatchObject({ orders: [{ orderId: id }], unevenQueues: [] });
  await shop.client.set(shop.key(`order:${id}`), record);
  expect(await shop.orders.inspect(10)).toMatchObject({ orders: [] });
  await shop.orders.mend(queue);
  const after = await shop.state();
  for (const index of ["waiting", "delayed", "scheduled", "leases"])
    expect(after[`${index}:${queue}`]).toBe(before[`${index}:${queue}`] as string);
});

test.each([
  ["a scheduled one without its time", "C", { due: "" }, "its time is missing"],
  ["one whose time is no number", "C", { due: "soon" }, "one of its times is garbled"],
  ["one without its place", "C", { queue_number: "" }, "its place is missing or garbled"],
  ["a call without its input", "B", { input: "" }, "what it is for is missing or garbled"],
])("%s is damaged, and it is said why", async (_what, id, lines, reason) => {
  await using shop = await openCalls();
  const record = { ...(await shop.record(id)), ...lines };
  await shop.client.set(shop.key(`order:${id}`), Object.values(record).join("\n"));
  expect(await shop.orders.find(id)).toEqual({ kind: "damaged" });
  expect(await shop.orders.inspect(10)).toMatchObject({ orders: [{ orderId: id, reason }] });
});

test("each key of the new kinds is named where it holds another type, and other queues go on", async () => {
  await using shop = await openCalls();
  await shop.declare({ name: "mail" });
  const names = ["calls", "calls:labels", "calls:numbers", "scheduled", "workers"].map((name) => `${name}:${queue}`);
  const all = ["buried", "dead", ...names];
  for (const name of all) {
    await shop.client.del(shop.key(name));
    await shop.client.set(shop.key(name), "of another type");
  }
  const { keys } = await shop.orders.inspect(10);
  expect(keys.map(({ key }) => key.slice(shop.prefix.length)).toSorted()).toEqual(all.toSorted());
  expect(keys.every(({ expectedType }) => expectedType === "zset")).toBe(true);
  await shop.call(["E"], { queue: "mail" });
  await shop.place(["F"]);
  expect([await shop.start("Ada", { queue: "mail" }), await shop.start("Ada")]).toEqual(["E", "F"]);
  expect(await shop.start("Ada", { queue })).toBe("B");
  expect(await shop.orders.finish({ orderId: "B" })).toMatchObject({ kind: "changed" });
});

describe("orders that are paid for", () => {
  /** One is unpaid (A), one unpaid and for later (B), one authorised (C), one cancelled with its try under way (D). */
  async function openPaid(): Promise<TestOrders> {
    const shop = await openShop({ payment: "card" });
    await shop.place(["A"], { draft: { customer_id: "c1" } });
    await shop.place(["B"], { draft: { not_before: later() } });
    await shop.place(["C", "D"]);
    await authorise(shop, "C");
    await attempt(shop, "D");
    await shop.orders.cancel({ orderId: "D", canceller: "customer", reason: "customer" });
    return shop;
  }
  const mend = (shop: TestOrders) => shop.orders.mend(DEFAULT_QUEUE);
  const UNEVEN = { ...NOTHING, unevenQueues: [DEFAULT_QUEUE] };

  test("agree with their stream", async () => {
    await using shop = await openPaid();
    const changes = await shop.changes(async () => {
      expect(await shop.orders.inspect(10)).toEqual(NOTHING);
      expect(await mend(shop)).toEqual({ dropped: 0, restored: 0 });
    });
    expect(changes).toEqual({});
  });

  test("come back where their index is lost, with as long to pay as a lease", async () => {
    await using shop = await openPaid();
    const before = await shop.state();
    await shop.client.del(shop.key("unpaid:default"));
    expect(await shop.orders.inspect(10)).toEqual(UNEVEN);
    expect(await mend(shop)).toEqual({ dropped: 0, restored: 2 });
    expect(await shop.state()).toEqual(before);
    expect(await authorise(shop, "B")).toMatchObject({ kind: "changed" });
    expect(await authorise(shop, "A")).toMatchObject({ kind: "changed" });
    expect([await shop.start("Ada"), await shop.start("Ada")]).toEqual(["A", "C"]);
  });

  test("come back where their stream is lost, and what the index names wrongly is dropped", async () => {
    await using shop = await openPaid();
    await shop.client.del(shop.key("queue:default"));
    expect(await shop.orders.inspect(10)).toEqual(UNEVEN);
    await mend(shop);
    await shop.client.zadd(shop.key("unpaid:default"), 1, "C", 2, "D", 3, "nobody's");
    expect((await mend(shop)).dropped).toBe(3);
    await authorise(shop, "A");
    expect([await shop.start("Ada"), await shop.start("Ada")]).toEqual(["A", "C"]);
  });

  test.each(["A", "B"])("%s, damaged, is set aside, and goes back: it can be paid for", async (id) => {
    await using shop = await openPaid();
    const record = (await shop.client.get(shop.key(`order:${id}`))) ?? "";
    await shop.client.set(shop.key(`order:${id}`), "garbage");
    expect(await attempt(shop, id)).toEqual({ kind: "damaged" });
    expect(await authorise(shop, id)).toEqual({ kind: "damaged" });
    expect(await shop.orders.inspect(10)).toMatchObject({ ...UNEVEN, orders: [{ orderId: id }] });
    await mend(shop);
    await shop.client.set(shop.key(`order:${id}`), record);
    await shop.orders.inspect(10);
    await mend(shop);
    expect(await shop.orders.inspect(10)).toMatchObject({ keys: [], orders: [] });
    expect((await shop.client.zrange(shop.key("unpaid:default"), 0, "-1")).toSorted()).toEqual(["A", "B"]);
    expect(await authorise(shop, id)).toMatchObject({ kind: "changed" });
  });
});
