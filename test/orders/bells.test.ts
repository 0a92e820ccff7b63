/** Owns the tests of answer-bells.lua and take-bells.lua, which waiting/bells.ts runs. */
import { describe, expect, test } from "bun:test";
import { loadScript } from "../../src/redis/script.ts";
import { TestOrders } from "../support/orders.ts";
import { parseTold } from "../support/wire.ts";

const answerBells = loadScript("answer-bells");
const takeBells = loadScript("take-bells");

/** What a script tells of the orders: the id of each that it names, and its status (null: forgotten). */
async function tell(shop: TestOrders, script: typeof answerBells, ids: readonly string[]) {
  const replies = (await shop.redis.run(script, ids)) as [string, string][];
  return replies.map(([id, json]) => [id, json === "" ? null : parseTold(id, json).status]);
}

const answer = (shop: TestOrders, ids: readonly string[]) => tell(shop, answerBells, ids);
const take = (shop: TestOrders, ids: readonly string[]) => tell(shop, takeBells, ids);

/** Takes what a lane gets that blocks on the bell of this order: the order as JSON, or nothing. */
async function pop(shop: TestOrders, id: string): Promise<string | undefined> {
  return (await shop.client.blpop(shop.key(`bell:${id}`), 1))?.[1];
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

/** A shop with so many ready orders, and their ids. */
async function openReady(count: number): Promise<{ shop: TestOrders; ids: string[] }> {
  const shop = await TestOrders.open();
  const ids = Array.from({ length: count }, (_, index) => `order-${index}`);
  await shop.place(ids);
  await Promise.all(ids.map(() => shop.start("Grace")));
  await Promise.all(ids.map((orderId) => shop.orders.finish({ orderId })));
  return { shop, ids };
}

const ALL = ["ready", "brewing", "cancelled", "queued", "forgotten"];

describe("answering bells", () => {
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

  test("silent bells of final orders ring again, for whoever else waits, and never others", async () => {
    await using shop = await openShop();
    for (const id of ALL) await shop.client.del(shop.key(`bell:${id}`));
    const changes = await shop.changes(() => answer(shop, ALL));
    expect(changes).toEqual({
      "bell:ready": 'nothing → list with TTL: the order, ""',
      "bell:cancelled": 'nothing → list with TTL: the order, ""',
    });
  });

  test("a bell that was popped once still rings, and is left alone", async () => {
    await using shop = await openShop();
    expect(parseTold("ready", (await pop(shop, "ready")) ?? "")).toMatchObject({ status: "ready", barista: "Grace" });
    const changes = await shop.changes(async () => expect(await answer(shop, ["ready"])).toEqual([["ready", "ready"]]));
    expect(changes).toEqual({});
    expect(await shop.state()).toMatchObject({ "bell:ready": 'list with TTL: ""' });
  });

  test("a bell that rings again rings as long as the first time", async () => {
    await using shop = await openShop();
    await shop.client.del(shop.key("bell:ready"));
    expect(await answer(shop, ["ready"])).toEqual([["ready", "ready"]]);
    const ttlMs = await shop.ttlMs("bell:ready");
    expect(ttlMs).toBeGreaterThan(60_000);
    expect(ttlMs).toBeLessThanOrEqual(120_000);
  });

  test("many may wait on one bell: each pops it, every second one looks, and the next finds it rung", async () => {
    await using shop = await openShop();
    const told: unknown[] = [];
    for (let customer = 1; customer <= 6; customer++) {
      const json = await pop(shop, "ready");
      told.push(json && parseTold("ready", json).status);
      if (json === "") expect(await answer(shop, ["ready"])).toEqual([["ready", "ready"]]);
    }
    expect(told).toEqual(["ready", "", "ready", "", "ready", ""]);
  });
});

describe("taking bells", () => {
  test("of the orders asked for, those are told whose bells ring, and each still rings once", async () => {
    await using shop = await openShop();
    const changes = await shop.changes(async () => {
      expect(await take(shop, ALL)).toEqual([
        ["ready", "ready"],
        ["cancelled", "cancelled"],
      ]);
      expect(await take(shop, [])).toEqual([]);
    });
    expect(changes).toEqual({
      "bell:ready": 'list with TTL: the order, "" → list with TTL: ""',
      "bell:cancelled": 'list with TTL: the order, "" → list with TTL: ""',
    });
  });

  test("a silent bell is no look: a final order is not told, nor one that is forgotten", async () => {
    await using shop = await openShop();
    for (const id of ALL) await shop.client.del(shop.key(`bell:${id}`));
    expect(await shop.changes(async () => expect(await take(shop, ALL)).toEqual([]))).toEqual({});
  });

  test("a bell that others popped before tells the order as it is, and rings again in full", async () => {
    await using shop = await openShop();
    await pop(shop, "ready");
    await shop.client.pexpire(shop.key("bell:ready"), 20_000);
    const changes = await shop.changes(async () => expect(await take(shop, ["ready"])).toEqual([["ready", "ready"]]));
    expect(changes).toEqual({ "bell:ready": 'list with TTL: "" → list with TTL: the order, ""' });
    const ttlMs = await shop.ttlMs("bell:ready");
    expect(ttlMs).toBeGreaterThan(60_000);
    expect(ttlMs).toBeLessThanOrEqual(120_000);
  });

  test("whoever takes it, and however often, is told the same order", async () => {
    await using shop = await openShop();
    for (const id of ["ready", "cancelled"]) {
      const told = new Set<string>();
      for (let customer = 1; customer <= 5; customer++) {
        const [[, json = ""] = []] = (await shop.redis.run(takeBells, [id])) as string[][];
        told.add(json);
      }
      expect([...told].map((json) => parseTold(id, json))).toEqual([
        expect.objectContaining({ order_id: id, status: id }) as never,
      ]);
    }
  });

  test("one order that is asked for twice, by two lanes in one go, is told to both, and rings on", async () => {
    await using shop = await openShop();
    expect(await take(shop, ["ready", "queued", "ready"])).toEqual([
      ["ready", "ready"],
      ["ready", "ready"],
    ]);
    expect(await shop.state()).toMatchObject({ "bell:ready": 'list with TTL: the order, ""' });
  });

  test("a bell of an order that was forgotten since tells what it holds once, then that it is forgotten", async () => {
    await using shop = await openShop();
    await shop.client.del(shop.key("order:ready"));
    expect(await take(shop, ["ready"])).toEqual([["ready", "ready"]]);
    expect(await take(shop, ["ready"])).toEqual([["ready", null]]);
    expect(await take(shop, ["ready"])).toEqual([]);
    expect(await shop.state()).not.toHaveProperty(["bell:ready"]);
  });

  test("of many bells, each is told once, in the order asked for, whoever popped which before", async () => {
    const { shop, ids } = await openReady(200);
    await using _ = shop;
    const silent = ids.filter((_id, at) => at % 3 === 1);
    const popped = ids.filter((_id, at) => at % 3 === 2);
    await shop.client.del(...silent.map((id) => shop.key(`bell:${id}`)));
    for (const id of popped) await shop.client.lpop(shop.key(`bell:${id}`));
    const asked = ids.toReversed();
    expect(await take(shop, asked)).toEqual(asked.filter((id) => !silent.includes(id)).map((id) => [id, "ready"]));
    const rings = await Promise.all(ids.map((id) => shop.client.llen(shop.key(`bell:${id}`))));
    expect(rings).toEqual(ids.map((id) => (silent.includes(id) ? 0 : popped.includes(id) ? 2 : 1)));
  });
});
