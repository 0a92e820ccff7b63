/** Owns the tests of answer-bells.lua, which waiting/bells.ts runs. */
import { expect, test } from "bun:test";
import { loadScript } from "../../src/redis/script.ts";
import { TestOrders } from "../support/orders.ts";

const script = loadScript("answer-bells");

/** Ids of the final or forgotten orders, and the status of each (null: forgotten). */
async function answer(shop: TestOrders, ids: readonly string[]) {
  const replies = (await shop.redis.run(script, ids)) as [string, string][];
  return replies.map(([id, json]) => [id, json === "" ? null : (JSON.parse(json) as { status: string }).status]);
}

/** A shop with one order of each state, each named by it; `forgotten` is none. */
async function openShop(): Promise<TestOrders> {
  const shop = await TestOrders.open();
  await shop.place(["ready", "brewing", "cancelled", "queued"]);
  await shop.start("Grace");
  await shop.orders.finish({ orderId: "ready" });
  await shop.start("Grace");
  await shop.orders.cancel({ orderId: "cancelled", canceller: "customer", reason: "customer" });
  return shop;
}

const ALL = ["ready", "brewing", "cancelled", "queued", "forgotten"];

test("of the orders asked for, the final and the forgotten ones are told, and no rung bell is touched", async () => {
  await using shop = await openShop();
  const changes = await shop.changes(async () => {
    expect(await answer(shop, ALL)).toEqual([
      ["ready", "ready"],
      ["cancelled", "cancelled"],
      ["forgotten", null],
    ]);
    expect(await answer(shop, [])).toEqual([]);
  });
  expect(changes).toEqual({});
});

test("popped bells of final orders ring again, for whoever else waits, and never others", async () => {
  await using shop = await openShop();
  for (const id of ALL) await shop.client.del(shop.key(`bell:${id}`));
  const changes = await shop.changes(() => answer(shop, ALL));
  expect(changes).toEqual({
    "bell:ready": "nothing → list with TTL: 1, 1",
    "bell:cancelled": "nothing → list with TTL: 1, 1",
  });
});

test("a bell that rings again rings as long as the first time", async () => {
  await using shop = await openShop();
  await shop.client.lpop(shop.key("bell:ready"));
  expect(await answer(shop, ["ready"])).toEqual([["ready", "ready"]]);
  const ttlMs = await shop.ttlMs("bell:ready");
  expect(ttlMs).toBeGreaterThan(60_000);
  expect(ttlMs).toBeLessThanOrEqual(120_000);
});

test("many may wait on one bell: each pops it and finds it rung", async () => {
  await using shop = await openShop();
  for (let customer = 1; customer <= 5; customer++) {
    expect(await shop.client.blpop(shop.key("bell:ready"), 1)).toEqual([shop.key("bell:ready"), "1"]);
    await answer(shop, ["ready"]);
  }
});
