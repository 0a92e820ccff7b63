/**
 * Owns the tests of what is read of a stored format: searches, measures, events, and what servers look after. Each is
 * the same as in a shop made live.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createHistory } from "../../src/events/history.ts";
import { loadScript } from "../../src/redis/script.ts";
import { createMenu } from "../../src/shop/menu.ts";
import { createShop } from "../../src/shop/settings.ts";
import { dump, type Shop } from "../fixtures/keys.ts";
import { CUSTOMER, LASTING } from "../fixtures/shop.ts";
import type { TestOrders } from "../support/orders.ts";
import { Comparison, FORMATS } from "./exhibits.ts";

setDefaultTimeout(60_000);

const DEFAULT = "default";
const NEW_ID = "01938a5e-7c1b-7f3e-9a52-000000000099";

/** By format: how many orders each search finds, how long the queues are, and how many lines of ends are read. */
const EXPECTED = {
  1: {
    found: [25, 3, 5, 2, 0, 9, 5, 3, 6],
    measures: [
      { depth: 8, brewing: 5, damaged: 0 },
      { depth: 1, brewing: 0, damaged: 0 },
    ],
    finals: 10,
  },
  2: {
    found: [44, 4, 5, 2, 3, 14, 7, 6, 10],
    measures: [
      { depth: 13, brewing: 7, damaged: 0 },
      { depth: 1, brewing: 0, damaged: 0 },
      { depth: 3, brewing: 1, damaged: 0 },
    ],
    finals: 21,
  },
} as const;

/** Versions before kept lists of what their consumer groups had given out. */
function withoutPending(shop: Shop): Shop {
  return Object.fromEntries(
    Object.entries(shop).map(([key, content]) => {
      if (!("stream" in content) || !content.stream.given) return [key, content];
      const given = { ...content.stream.given, pending: {} };
      return [key, { ...content, stream: { ...content.stream, given } }];
    }),
  );
}

/** Upgrades all orders, as a server does; resolves to how many there were. */
async function upgrade({ redis }: TestOrders): Promise<number> {
  let upgraded = 0;
  for (let from = ""; ;) {
    const reply = (await redis.run(loadScript("upgrade-orders"), ["server", "0.1.0", from])) as [
      string,
      string,
      number,
    ];
    upgraded += reply[2];
    if (reply[0] === "done") return upgraded;
    from = reply[1];
  }
}

async function dumpOf({ client, prefix }: TestOrders): Promise<Shop> {
  return withoutPending(await dump(client, prefix));
}

describe.each(["1", "2"] as const)("format %s", (format) => {
  const { ids, queues } = FORMATS[format];
  const { found, measures: measured, finals: ended } = EXPECTED[format];
  let both: Comparison;
  beforeAll(async () => {
    both = await Comparison.open(FORMATS[format]);
  });
  afterAll(() => both[Symbol.asyncDispose]());

  const EVERYTHING = { fromMs: 0, beforeMs: 1e15, limit: 100 };

  test("search: all, by status, by customer, in pages", async () => {
    const pages = await both.expectSame(async (_shop, orders) => [
      await orders.search(EVERYTHING),
      await orders.search({ ...EVERYTHING, customerId: CUSTOMER }),
      await orders.search({ ...EVERYTHING, limit: 5, cursor: ids["queued"] }),
      await orders.search({ ...EVERYTHING, statuses: ["reserved"] }),
      await orders.search({ ...EVERYTHING, statuses: ["unpaid"] }),
      await orders.search({ ...EVERYTHING, statuses: ["queued"] }),
      await orders.search({ ...EVERYTHING, statuses: ["brewing"] }),
      await orders.search({ ...EVERYTHING, statuses: ["ready"] }),
      await orders.search({ ...EVERYTHING, statuses: ["cancelled"] }),
    ]);
    expect(pages.map((page) => (page.kind === "page" ? page.orders.length : 0))).toEqual([...found]);
  });

  test("how long the queues are, and how busy the shop", async () => {
    const [measures] = await both.expectSame(async (shop, orders) => [
      await Promise.all(queues.map((queue) => orders.measure(queue))),
      await createShop(shop.redis, DEFAULT).read(),
      await createMenu(shop.redis).list(),
      await shop.redis.run(loadScript("current-code"), ["?"]),
    ]);
    expect(measures).toMatchObject(measured);
  });

  test("what lanes and baristas read", async () => {
    const all = [...Object.values(ids), NEW_ID];
    const [finals, bells] = await both.expectSame(async (shop) => [
      await shop.redis.run(loadScript("read-finals"), all),
      await shop.redis.run(loadScript("find-bells"), all),
      // (Without how long it is to the next one.)
      ((await shop.redis.run(loadScript("due-orders"), [LASTING.maxAttempts])) as unknown[]).slice(1),
      await shop.redis.run(loadScript("read-fixed"), all),
    ]);
    expect(String(finals).split("\n")).toHaveLength(ended);
    expect(bells).toBe("");
  });

  test("nothing is damaged, uneven or to be forgotten", async () => {
    const [inspection, ...mendings] = await both.expectSame(async (_shop, orders) => [
      await orders.inspect(100),
      ...(await Promise.all(queues.map((queue) => orders.mend(queue)))),
      await orders.forget(""),
      await orders.inspect(100),
    ]);
    expect(inspection).toEqual({ keys: [], orders: [], unevenQueues: [] });
    expect(mendings.slice(0, queues.length)).toEqual(queues.map(() => ({ dropped: 0, restored: 0 })));
  });

  test("the events of everything, and of each order", async () => {
    const [everything, ...own] = await both.expectSame(async (shop) => {
      const history = createHistory(shop.redis.run);
      return [
        await Promise.all([
          history.readAfter("0-0", {}),
          history.readAfter("0-0", { types: ["shop.changed", "menu.changed"] }),
        ]),
        ...(await Promise.all(Object.values(ids).map((orderId) => history.readAfter("0-0", { orderId })))),
      ];
    });
    expect(everything).toMatchObject([{ isMissing: false }, { isMissing: false }]);
    expect(own).toHaveLength(Object.keys(ids).length);
    expect(JSON.stringify(everything)).toContain("order.released");
  });

  test("the dead letters, in pages", async () => {
    const pages = await both.expectSame(async (_shop, orders) => [
      await orders.dead({ limit: 100 }),
      await orders.dead({ limit: 1, queue: "default" }),
    ]);
    const counts = pages.map((page) => (page.kind === "page" ? page.orders.length : page.kind));
    expect(counts).toEqual(format === "1" ? [0, 0] : [3, 1]);
  });

  test("upgraded, it is what this version writes, line by line and key by key", async () => {
    const { old, live } = both;
    await old.reset();
    await live.reset();
    const upgraded = await upgrade(old.shop);
    expect(upgraded).toBe(format === "1" ? Object.keys(ids).length : 0);
    await live.shop.client.set(live.shop.key("format"), "2 0.1.0 2");
    const [written, wanted] = both.comparable([await dumpOf(live.shop), await dumpOf(old.shop)] as const);
    expect(Object.keys(written)).toEqual(Object.keys(wanted));
    for (const [key, content] of Object.entries(wanted)) expect({ key, ...written[key] }).toEqual({ key, ...content });
  });
});
