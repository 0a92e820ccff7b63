/**
 * Owns the tests of bells: when they ring (lib/writes.lua), and how lanes look (read-finals.lua) and find them
 * (find-bells.lua).
 */
import { describe, expect, test } from "bun:test";
import { createOrders } from "../../src/orders/orders.ts";
import { loadScript } from "../../src/redis/script.ts";
import { ORDER_SETTINGS, TestOrders } from "../support/orders.ts";
import { parsed } from "../support/wire.ts";

const readFinals = loadScript("read-finals");
const findBells = loadScript("find-bells");

const linesOf = (reply: unknown): string[] => (reply === "" ? [] : String(reply).split("\n"));

/** What a look says of the orders: the id of each that is over, and its status, or that it is forgotten or damaged. */
async function look(shop: TestOrders, ids: readonly string[]): Promise<[string, string][]> {
  return linesOf(await shop.redis.run(readFinals, ids)).map((line) => {
    const [outcome = "", id = "", json] = line.split("\t");
    if (json === undefined) return [id, outcome];
    const { order } = parsed({ kind: outcome, orderId: id, order: json });
    return [id, order.status];
  });
}

async function find(shop: TestOrders, ids: readonly string[]): Promise<string[]> {
  return linesOf(await shop.redis.run(findBells, ids));
}

/** Takes what a lane gets that blocks on the bell of this order. */
async function pop(shop: TestOrders, id: string): Promise<string | undefined> {
  return (await shop.client.blpop(shop.key(`bell:${id}`), 1))?.[1];
}

const SHARED = "*";
/**
 * A shop with one order of each state, each named by it, each waited for by customers of several servers; `forgotten`
 * is none.
 */
async function openShop(holder = SHARED): Promise<TestOrders> {
  const shop = await TestOrders.open();
  await shop.place(["ready", "brewing", "cancelled", "queued"], { holder });
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
  await shop.place(ids, { holder: SHARED });
  await Promise.all(ids.map(() => shop.start("Grace")));
  await Promise.all(ids.map((orderId) => shop.orders.finish({ orderId })));
  return { shop, ids };
}

const ALL = ["ready", "brewing", "cancelled", "queued", "forgotten"];

describe("an order's end rings", () => {
  /** The bell after the order was finished by a server, where its customers wait at `holders`. */
  async function bellAfter(holders: (own: string) => readonly string[]): Promise<string | undefined> {
    await using shop = await TestOrders.open();
    const finals: string[] = [];
    const orders = createOrders(shop.redis, ORDER_SETTINGS);
    orders.onFinal({ notify: (id) => finals.push(id) });
    const [first, ...others] = holders(orders.replica);
    await orders.place({ orderId: "A", queue: "default", draft: {}, holder: first });
    for (const holder of others) expect(await orders.watch({ orderId: "A", holder })).toEqual({ kind: "watching" });
    await orders.start({ barista: "Grace", queue: "default" });
    await orders.finish({ orderId: "A" });
    // Who waits here is notified by the answer of the run.
    expect(finals).toEqual(["A"]);
    orders.close();
    return (await shop.state())["bell:A"];
  }

  test("for a customer of another server, and for those of several", async () => {
    const rings = 'list with TTL: "", ""';
    expect(await bellAfter(() => ["another"])).toBe(rings);
    expect(await bellAfter((own) => [own, "another"])).toBe(rings);
    expect(await bellAfter((own) => ["another", own])).toBe(rings);
    expect(await bellAfter(() => ["another", "a third"])).toBe(rings);
    expect(await bellAfter((own) => [own, "another", own])).toBe(rings);
  });

  test("for none where no other server may hold a customer", async () => {
    expect(await bellAfter(() => [])).toBeUndefined();
    expect(await bellAfter((own) => [own])).toBeUndefined();
    expect(await bellAfter((own) => [own, own])).toBeUndefined();
  });

  test("so long that a lane that just blocks still hears it", async () => {
    await using shop = await openShop("another");
    const ttlMs = await shop.ttlMs("bell:ready");
    expect(ttlMs).toBeGreaterThan(60_000);
    expect(ttlMs).toBeLessThanOrEqual(120_000);
  });
});

describe("a look", () => {
  test("names of the orders asked for the final and the forgotten ones, and touches no bell that rings", async () => {
    await using shop = await openShop();
    const changes = await shop.changes(async () => {
      expect(await look(shop, ALL)).toEqual([
        ["ready", "ready"],
        ["cancelled", "cancelled"],
        ["forgotten", "forgotten"],
      ]);
      expect(await look(shop, [])).toEqual([]);
    });
    expect(changes).toEqual({});
  });

  test("rings silent bells of final orders again, for others who wait, and never others", async () => {
    await using shop = await openShop();
    for (const id of ALL) await shop.client.del(shop.key(`bell:${id}`));
    expect(await shop.changes(() => look(shop, ALL))).toEqual({
      "bell:ready": 'nothing → list with TTL: "", ""',
      "bell:cancelled": 'nothing → list with TTL: "", ""',
    });
    const ttlMs = await shop.ttlMs("bell:ready");
    expect(ttlMs).toBeGreaterThan(60_000);
    expect(ttlMs).toBeLessThanOrEqual(120_000);
  });

  test.each(["another", ""])(
    "rings none for orders that one server, or none, holds a customer of: %p",
    async (holder) => {
      await using shop = await openShop(holder);
      for (const id of ALL) await shop.client.del(shop.key(`bell:${id}`));
      const changes = await shop.changes(async () =>
        expect(await look(shop, ALL)).toEqual([
          ["ready", "ready"],
          ["cancelled", "cancelled"],
          ["forgotten", "forgotten"],
        ]),
      );
      expect(changes).toEqual({});
    },
  );

  test("leaves a bell alone that was popped once and still rings", async () => {
    await using shop = await openShop();
    expect(await pop(shop, "ready")).toBe("");
    const changes = await shop.changes(async () => expect(await look(shop, ["ready"])).toEqual([["ready", "ready"]]));
    expect(changes).toEqual({});
    expect(await shop.state()).toMatchObject({ "bell:ready": 'list with TTL: ""' });
  });

  test("names a damaged order as damaged, and the others as they are", async () => {
    await using shop = await openShop();
    await shop.client.set(shop.key("order:queued"), "no record");
    expect(await look(shop, ["queued", "ready"])).toEqual([
      ["queued", "damaged"],
      ["ready", "ready"],
    ]);
  });

  test("is what each does who pops a bell: however many wait on it, the next one finds it rung", async () => {
    await using shop = await openShop();
    for (let customer = 1; customer <= 6; customer += 1) {
      expect(await pop(shop, "ready")).toBe("");
      expect(await look(shop, ["ready"])).toEqual([["ready", "ready"]]);
    }
  });
});

describe("finding bells", () => {
  test("names each that rings, and leaves it ringing: an answer that is lost loses no ring", async () => {
    await using shop = await openShop();
    const changes = await shop.changes(async () => {
      for (const _ of [1, 2, 3]) expect(await find(shop, ALL)).toEqual(["ready", "cancelled"]);
      expect(await find(shop, [])).toEqual([]);
    });
    expect(changes).toEqual({});
  });

  test("is no look: of a silent bell nothing is said, whatever its order is, and nothing changes", async () => {
    await using shop = await openShop();
    for (const id of ALL) await shop.client.del(shop.key(`bell:${id}`));
    expect(await shop.changes(async () => expect(await find(shop, ALL)).toEqual([]))).toEqual({});
  });

  test("a bell that was popped twice is silent, until a look rings it again", async () => {
    await using shop = await openShop();
    for (const _ of [1, 2]) expect(await pop(shop, "ready")).toBe("");
    expect(await find(shop, ["ready"])).toEqual([]);
    expect(await look(shop, ["ready"])).toEqual([["ready", "ready"]]);
    expect(await find(shop, ["ready"])).toEqual(["ready"]);
  });

  test("one order that is asked for twice, by two lanes in one go, is named to both", async () => {
    await using shop = await openShop();
    expect(await find(shop, ["ready", "queued", "ready"])).toEqual(["ready", "ready"]);
  });

  test("of many bells, each is named once, in the order asked for, whichever lane popped which before", async () => {
    const { shop, ids } = await openReady(200);
    await using _ = shop;
    const silent = ids.filter((_id, at) => at % 3 === 1);
    const popped = ids.filter((_id, at) => at % 3 === 2);
    await shop.client.del(...silent.map((id) => shop.key(`bell:${id}`)));
    for (const id of popped) await shop.client.lpop(shop.key(`bell:${id}`));
    const queried = ids.toReversed();
    const rung = queried.filter((id) => !silent.includes(id));
    expect(await find(shop, queried)).toEqual(rung);
    // A lane that found one reads its order, which rings nothing that rings.
    expect(await look(shop, rung)).toEqual(rung.map((id) => [id, "ready"]));
    const rings = await Promise.all(ids.map((id) => shop.client.llen(shop.key(`bell:${id}`))));
    expect(rings).toEqual(ids.map((id) => (silent.includes(id) ? 0 : popped.includes(id) ? 1 : 2)));
  });
});
