/** Owns the tests of the shop's settings: read-shop.lua, change-shop.lua, and lib/admission.lua. */
import { expect, test } from "bun:test";
import { createShop } from "../../src/shop/settings.ts";
import { TestOrders } from "../support/orders.ts";
import { FIRST_SETTINGS } from "../support/shop.ts";

async function openShop() {
  const shop = await TestOrders.open();
  return { shop, settings: createShop(shop.redis, "default") };
}

const place = (shop: TestOrders, orderId: string, draft: object = {}, idempotencyKey?: string) =>
  shop.orders.place({ orderId, queue: "default", draft, idempotencyKey });

test("a new shop is open, without limits and codes", async () => {
  const { shop, settings } = await openShop();
  await using _ = shop;
  expect(await settings.read()).toEqual({
    settings: FIRST_SETTINGS,
    openOrders: 0,
    queueLength: 0,
    expectedSeconds: null,
  });
});

test("what is changed is an event once; what is not named, or not different, stays", async () => {
  const { shop, settings } = await openShop();
  await using _ = shop;
  await settings.change({ capacity: 20, require_code: true });
  await settings.change({ capacity: 20 });
  await settings.change({});
  const changed = { ...FIRST_SETTINGS, capacity: 20, require_code: true };
  expect((await settings.read()).settings).toEqual(changed);
  const state = await shop.state();
  expect(Object.keys(state).filter((line) => line.startsWith("events."))).toEqual(["events.1"]);
  expect(state["events.1"]).toBe(`shop.changed ${JSON.stringify(changed)}`);
});

test("open orders are the reserved, the queued and the brewing ones, of all queues", async () => {
  const { shop, settings } = await openShop();
  await using _ = shop;
  await shop.place(["A", "B", "C"]);
  await shop.place(["P"], { queue: "patio" });
  await shop.start("Grace");
  await shop.orders.finish({ orderId: "A" });
  await shop.start("Grace");
  const { openOrders, queueLength, expectedSeconds } = await settings.read();
  expect([openOrders, queueLength]).toEqual([3, 1]);
  expect(expectedSeconds).toBeNumber();
});

test("a closed shop takes no orders, and says so once a run", async () => {
  const { shop, settings } = await openShop();
  await using _ = shop;
  await settings.change({ open: false });
  const changes = await shop.changes(async () => {
    const outcomes = await Promise.all(["A", "B", "C"].map((id) => place(shop, id)));
    for (const outcome of outcomes) expect(outcome).toEqual({ kind: "refused", why: "closed", subject: "" });
  });
  expect(changes).toEqual({ "events.2": 'nothing → shop.refused {"reason":"closed","count":3}' });
});

test("a full shop takes the next order when one is finished", async () => {
  const { shop, settings } = await openShop();
  await using _ = shop;
  await settings.change({ capacity: 2 });
  const outcomes = await Promise.all(["A", "B", "C"].map((id) => place(shop, id)));
  expect(outcomes.map(({ kind }) => kind)).toEqual(["placed", "placed", "refused"]);
  expect(await place(shop, "C")).toEqual({ kind: "refused", why: "full", subject: "" });
  await shop.start("Grace");
  expect(await place(shop, "C")).toMatchObject({ kind: "refused" });
  await shop.orders.finish({ orderId: "A" });
  expect(await place(shop, "C")).toMatchObject({ kind: "placed" });
});

test("who placed an order before joins it by their key, closed or not", async () => {
  const { shop, settings } = await openShop();
  await using _ = shop;
  await place(shop, "A", {}, "k");
  await settings.change({ open: false });
  expect(await place(shop, "B", {}, "k")).toEqual({ kind: "joined", orderId: "A" });
  // Sent again after a lost reply.
  expect(await place(shop, "A")).toEqual({ kind: "placed", orderId: "A" });
});

test("one customer has at most so many open orders", async () => {
  const { shop, settings } = await openShop();
  await using _ = shop;
  await settings.change({ max_open_per_customer: 2 });
  const ask = (orderId: string, customer_id?: string) => place(shop, orderId, customer_id ? { customer_id } : {});
  await ask("A", "c1");
  await ask("B", "c1");
  expect(await ask("C", "c1")).toEqual({ kind: "refused", why: "too_many_open", subject: "" });
  expect(await ask("D", "c2")).toMatchObject({ kind: "placed" });
  expect(await ask("E")).toMatchObject({ kind: "placed" });
  await shop.orders.cancel({ orderId: "A", canceller: "customer", reason: "customer" });
  expect(await ask("C", "c1")).toMatchObject({ kind: "placed" });
});

test("with codes required, each order spends one, after everything else was found right", async () => {
  const { shop, settings } = await openShop();
  await using _ = shop;
  await settings.change({ require_code: true, capacity: 1 });
  const { createCodes } = await import("../../src/shop/codes.ts");
  const read = createCodes(shop.redis);
  const { code } = await read();
  expect(await place(shop, "A")).toMatchObject({ why: "code_required" });
  expect(await place(shop, "A", { code: "WRONG" })).toMatchObject({ why: "code_wrong" });
  expect(await place(shop, "A", { code, item: "tea" })).toMatchObject({ why: "unknown_item" });
  expect((await read()).remaining).toBe(10);
  expect(await place(shop, "A", { code })).toMatchObject({ kind: "placed" });
  expect(await place(shop, "B", { code })).toMatchObject({ why: "full" });
  expect((await read()).remaining).toBe(9);
});
