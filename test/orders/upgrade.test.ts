/** Owns the tests of upgrade-orders.lua: pages over the counter's index and those of all queues of machines. */
import { expect, test } from "bun:test";
import { loadScript } from "../../src/redis/script.ts";
import { TestOrders } from "../support/orders.ts";

const script = loadScript("upgrade-orders");
const FIXED = '"number":1,"item":"latte","price":400,"placed_at":"2026-11-18T00:00:00.000Z"';
const OLD = `1\nqueued\n\n0\n0\ndefault\n1\n\n\n\n\n\n\n\n\n\n\n\n\n${FIXED}`;
const NEW = `2\nqueued\n\n0\n0\ndefault\n1\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n${FIXED}`;

type Reply = [outcome: string, next: string, upgraded: number];

/** Stores orders of format 1 under an index; returns their ids. */
async function storeOld({ client, prefix }: TestOrders, index: string, count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, (_, at) => `${index}-${at}`);
  await client.mset(...ids.flatMap((id) => [`${prefix}order:${id}`, OLD]));
  await client.zadd(prefix + index, ...ids.flatMap((id, at) => [at, id]));
  return ids;
}

async function upgradeAll({ redis }: TestOrders, server: string): Promise<Reply[]> {
  const replies: Reply[] = [];
  let next = "";
  do {
    const reply = (await redis.run(script, [server, "0.2.0", next])) as Reply;
    replies.push(reply);
    [, next] = reply;
  } while (replies.at(-1)?.[0] === "page");
  return replies;
}

test("orders of the counter and of each queue are upgraded, none twice and none left, and live as long as before", async () => {
  await using shop = await TestOrders.open();
  for (const name of ["a", "empty", "z"]) await shop.declare({ name });
  const ids = [
    ...(await storeOld(shop, "orders", 1100)),
    ...(await storeOld(shop, "calls:a", 1)),
    ...(await storeOld(shop, "calls:z", 501)),
  ];
  await shop.client.pexpire(shop.key("order:calls:z-0"), 60_000);
  const replies = await upgradeAll(shop, "server");
  expect(replies.map(([, , upgraded]) => upgraded)).toEqual([500, 500, 100, 1, 0, 500, 1]);
  const records = await shop.client.mget(...ids.map((id) => shop.key(`order:${id}`)));
  expect(new Set(records)).toEqual(new Set([NEW]));
  expect(await shop.ttlMs("order:calls:z-0")).toBeWithin(1, 60_001);
  expect(await shop.client.get(shop.key("format"))).toBe("2 0.2.0 2");
  expect(await shop.client.exists(shop.key("upgrading"))).toBe(0);
  expect((await upgradeAll(shop, "server")).every(([, , upgraded]) => upgraded === 0)).toBe(true);
});

test("a shop without orders is done at once", async () => {
  await using shop = await TestOrders.open();
  expect(await upgradeAll(shop, "server")).toEqual([["done", "", 0]]);
});

test("one server upgrades, another is told so", async () => {
  await using shop = await TestOrders.open();
  await storeOld(shop, "orders", 600);
  expect(await shop.redis.run(script, ["one", "0.2.0", ""])).toEqual(["page", " 99", 500]);
  expect(await shop.redis.run(script, ["other", "0.2.0", ""])).toEqual(["other"]);
  expect(await shop.redis.run(script, ["one", "0.2.0", " 99"])).toEqual(["done", "", 100]);
});

test("damaged orders stay as they are, and damaged indexes are passed over", async () => {
  await using shop = await TestOrders.open();
  for (const name of ["a", "z"]) await shop.declare({ name });
  await storeOld(shop, "orders", 2);
  await storeOld(shop, "calls:z", 1);
  await shop.client.set(shop.key("order:orders-0"), "garbage");
  await shop.client.set(shop.key("calls:a"), "of another type");
  const replies = await upgradeAll(shop, "server");
  expect(replies.map(([, , upgraded]) => upgraded)).toEqual([1, 0, 1]);
  expect(await shop.client.get(shop.key("order:orders-0"))).toBe("garbage");
});
