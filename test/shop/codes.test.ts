/** Owns the tests of current-code.lua over time: replicas, periods, and what is used up. */
import { expect, test } from "bun:test";
import { createCodes } from "../../src/shop/codes.ts";
import { createShop, type ShopPatch } from "../../src/shop/settings.ts";
import { TestOrders } from "../support/orders.ts";
import { until } from "../support/until.ts";

async function openWith(patch: ShopPatch): Promise<{ shop: TestOrders; read: ReturnType<typeof createCodes> }> {
  const shop = await TestOrders.open();
  await change(shop, patch);
  return { shop, read: createCodes(shop.redis) };
}

const change = (shop: TestOrders, patch: ShopPatch) => createShop(shop.redis, "default").change(patch);

/** Ends the period of the current code, whatever the clock says. */
const endPeriod = (shop: TestOrders) => shop.client.hset(shop.key("code"), "ends_at", 1);

test("replicas that all ask first at once get one code", async () => {
  const { shop } = await openWith({ code_period_seconds: 86_400 });
  await using _ = shop;
  const codes = await Promise.all(Array.from({ length: 20 }, () => createCodes(shop.redis)()));
  expect(new Set(codes.map(({ code }) => code)).size).toBe(1);
});

test("no two codes are alike, and every letter of the alphabet stands in them", async () => {
  const { shop, read } = await openWith({ code_period_seconds: 86_400 });
  await using _ = shop;
  const codes = new Set<string>();
  for (let period = 0; period < 100; period += 1) {
    codes.add((await read()).code);
    await endPeriod(shop);
  }
  expect(codes.size).toBe(100);
  expect([...new Set([...codes].join(""))].toSorted().join("")).toBe("0123456789ABCDEFGHJKMNPQRSTVWXYZ");
});

test("the next period brings another code by itself, and the old one is good for nothing then", async () => {
  const { shop, read } = await openWith({ code_period_seconds: 5 });
  await using _ = shop;
  const first = await read();
  expect(first.changesAtMs % 5000).toBe(0);
  await until(async () => (await read()).code !== first.code, "the next code comes", 12_000);
  const second = await read();
  expect(second.changesAtMs).toBeGreaterThan(first.changesAtMs);
  expect(second.remaining).toBe(10);
  expect(await shop.orders.reserve({ orderId: "A", draft: { code: first.code } })).toMatchObject({ why: "code_wrong" });
}, 30_000);

test("one that is used up stays the current one, with nothing left, until its period is over", async () => {
  const { shop, read } = await openWith({ code_period_seconds: 86_400, drinks_per_code: 1 });
  await using _ = shop;
  const { code, changesAtMs } = await read();
  await shop.orders.reserve({ orderId: "A", draft: { code } });
  expect(await read()).toEqual({ code, changesAtMs, remaining: 0 });
  await endPeriod(shop);
  expect(await read()).toMatchObject({ remaining: 1 });
});

test("more drinks for a code are for the next one; so is a longer period", async () => {
  const { shop, read } = await openWith({ code_period_seconds: 3600, drinks_per_code: 1 });
  await using _ = shop;
  const first = await read();
  await change(shop, { code_period_seconds: 86_400, drinks_per_code: 7 });
  expect(await read()).toEqual(first);
  await endPeriod(shop);
  const second = await read();
  expect(second.remaining).toBe(7);
  expect(second.changesAtMs % 86_400_000).toBe(0);
});

test("a drink goes back to the code that it was taken from, and to no later one", async () => {
  const { shop, read } = await openWith({ code_period_seconds: 86_400 });
  await using _ = shop;
  const first = await read();
  for (const orderId of ["A", "B", "C"]) await shop.orders.reserve({ orderId, draft: { code: first.code } });
  const cancel = (orderId: string) => shop.orders.cancel({ orderId, canceller: "customer", reason: "customer" });
  await Promise.all([cancel("A"), cancel("A")]);
  expect((await read()).remaining).toBe(8);
  await endPeriod(shop);
  // Its time is over, though the next one is not made yet.
  await cancel("B");
  expect(await shop.client.hget(shop.key("code"), "remaining")).toBe("8");
  expect((await read()).remaining).toBe(10);
  await cancel("C");
  expect((await read()).remaining).toBe(10);
});
