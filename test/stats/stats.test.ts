/** Stats on a real Redis: they equal a recount of what happened, however it was counted, and count nothing twice. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import pino from "pino";
import { DEFAULT_QUEUE } from "../../src/orders/orders.ts";
import { loadScript } from "../../src/redis/script.ts";
import { StatsCounter } from "../../src/stats/counter.ts";
import { BUCKET_GROWTH } from "../../src/stats/histogram.ts";
import { createReadStats, type Grouping, type Stats } from "../../src/stats/stats.ts";
import { spoil } from "../support/damage.ts";
import { TestOrders } from "../support/orders.ts";
import { silent } from "../support/redis.ts";
import { until } from "../support/until.ts";
import { History, stretch } from "./history.ts";
import { expectFigures, readAll, recount, type Happened } from "./recount.ts";

setDefaultTimeout(120_000);

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

const LOST = "events were no longer kept when stats came to count them";
const FAILING = "stats can't be counted: trying again";

/** Logs the messages into `said`. */
const logInto = (said: string[]) =>
  pino({}, { write: (line: string) => void said.push((JSON.parse(line) as { msg: string }).msg) });

async function read(shop: TestOrders, by?: Grouping, days = 30): Promise<Stats> {
  const counter = new StatsCounter(shop.redis.run, silent, "on");
  try {
    const toMs = Math.ceil((Date.now() + 1) / HOUR_MS) * HOUR_MS;
    return await createReadStats(shop.redis.run, counter.countAll)({ fromMs: toMs - days * DAY_MS, toMs, by });
  } finally {
    await counter.stop();
  }
}

/** One call of the script: of so many events, and those of up to ten entries more. */
const countSome = (shop: TestOrders, enough = 1): Promise<unknown> =>
  shop.redis.run(loadScript("count-stats"), [BUCKET_GROWTH, 400 * DAY_MS, enough]);

async function countedKeys({ client, prefix }: TestOrders): Promise<string[]> {
  return (await client.keys(`${prefix}stats:*`)).toSorted();
}

/** All that is kept of stats. */
async function dump(shop: TestOrders): Promise<unknown[]> {
  const hours = (await countedKeys(shop)).filter((name) => !name.endsWith(":counted"));
  return await Promise.all(hours.map(async (name) => [name, await shop.client.hgetall(name)]));
}

/** Places an order, and has it made. */
async function make(shop: TestOrders, barista: string, item = "latte"): Promise<string> {
  const orderId = crypto.randomUUID();
  await shop.orders.place({ orderId, queue: DEFAULT_QUEUE, draft: { item } });
  expect(await shop.start(barista)).toBe(orderId);
  await shop.orders.finish({ orderId, barista });
  return orderId;
}

const NAME_OF: Readonly<Record<Grouping, (event: Happened) => string | undefined>> = {
  hour: ({ ms }) => new Date(Math.floor(ms / HOUR_MS) * HOUR_MS).toISOString(),
  day: ({ ms }) => new Date(ms).toISOString().slice(0, 10),
  drink: ({ data }) => data.item,
  barista: ({ data, type }) => (/started|finished|cancelled/.test(type) ? data.barista : undefined),
};

async function expectRecounted(shop: TestOrders): Promise<void> {
  const all = await readAll(shop.client, shop.prefix);
  expectFigures((await read(shop)).total, recount(all));
  for (const by of ["hour", "day", "drink", "barista"] as const) {
    const groups = Map.groupBy(all, NAME_OF[by]);
    const { rows, total } = await read(shop, by);
    expectFigures(total, recount(all));
    for (const { name, figures } of rows) expectFigures(figures, recount(groups.get(name) ?? []));
    const counted = [...groups].filter(([name, events]) => name !== undefined && hasCounted(events));
    const names = rows.map(({ name }) => name);
    expect(counted.map(([name]) => name).filter((name) => !names.includes(String(name)))).toEqual([]);
  }
}

function hasCounted(events: readonly Happened[]): boolean {
  const { waitsMs, brewsMs, placed, completed, cancelled } = recount(events);
  return waitsMs.length + brewsMs.length + placed + completed + Math.max(...Object.values(cancelled)) > 0;
}

describe("stats equal a recount", () => {
  test.each([1, 2, 3, 4])("of a random history: %i", async (seed) => {
    await using shop = await TestOrders.open();
    await new History(shop, seed).run(400);
    // Over some days, and with waits from seconds to hours.
    await stretch(shop, 50_000 + 20_000 * seed);
    await expectRecounted(shop);
  });

  test("when two replicas count at once, while it happens, in small calls too", async () => {
    await using shop = await TestOrders.open();
    const counters = [0, 1].map(() => new StatsCounter(shop.redis.run, silent, "on"));
    const history = new History(shop, 5);
    for (let round = 0; round < 40; round += 1) {
      await history.run(5);
      await Promise.all([countSome(shop), countSome(shop), ...counters.map(({ countAll }) => countAll())]);
    }
    await Promise.all(counters.map((counter) => counter.stop()));
    await expectRecounted(shop);
  });

  test("when they were deleted, and are built again from the stream", async () => {
    await using shop = await TestOrders.open();
    await new History(shop, 6).run(200);
    await stretch(shop, 100_000);
    const { total } = await read(shop);
    await shop.client.del(...(await countedKeys(shop)));
    expect((await read(shop)).total).toEqual(total);
    await expectRecounted(shop);
  });
});

describe("counting", () => {
  test("again changes nothing", async () => {
    await using shop = await TestOrders.open();
    await new History(shop, 7).run(100);
    await read(shop);
    const before = await dump(shop);
    await Promise.all([countSome(shop), countSome(shop)]);
    expect(await dump(shop)).toEqual(before);
  });

  test("begins by itself, goes on after an outage of its key, and leaves nothing half counted", async () => {
    await using shop = await TestOrders.open();
    await make(shop, "Ada");
    const hour = shop.key(`stats:${new Date().toISOString().slice(0, 13)}`);
    const putRight = await spoil(shop.client, hour);
    const said: string[] = [];
    const counter = new StatsCounter(shop.redis.run, logInto(said), "on");
    await until(() => said.length > 0, "it is logged");
    expect((await shop.orders.inspect(10)).keys).toMatchObject([{ key: hour, expectedType: "hash" }]);
    expect(await countedKeys(shop)).toEqual([hour]);
    await putRight();
    await until(async () => (await countedKeys(shop)).length === 2, "it is counted");
    await counter.stop();
    expect(said).toEqual([FAILING]);
    expect((await read(shop)).total).toMatchObject({ placed: 1, completed: 1 });
  });

  test("of what was trimmed before: it is said how many events are in no stats", async () => {
    await using shop = await TestOrders.open();
    await make(shop, "Ada");
    await read(shop);
    for (let n = 0; n < 3; n += 1) await make(shop, "Ada");
    await shop.client.xtrim(shop.key("events"), "MAXLEN", 2);
    const said: string[] = [];
    const counter = new StatsCounter(shop.redis.run, logInto(said), "on");
    await counter.countAll();
    await counter.stop();
    expect(said).toEqual([LOST]);
    expect((await read(shop)).total).toMatchObject({ placed: 1, completed: 2 });
  });

  test("begins anew in a shop that was emptied, even where the clock was set back", async () => {
    await using shop = await TestOrders.open();
    await make(shop, "Ada");
    await read(shop);
    const counted = await shop.client.get(shop.key("stats:counted"));
    await shop.client.del(shop.key("events"), shop.key("events:count"));
    await shop.client.xadd(shop.key("events"), `${Date.now() - HOUR_MS}-1`, "order.placed", 'gone\t"status":"queued"');
    expect((await read(shop)).total.placed).toBe(2);
    expect(await shop.client.get(shop.key("stats:counted"))).not.toBe(counted);
  });

  test("an order that is gone counts among the others, without a price and a wait", async () => {
    await using shop = await TestOrders.open();
    await shop.client.del(shop.key(`order:${await make(shop, "Ada")}`));
    const { rows } = await read(shop, "drink");
    expect(rows).toMatchObject([{ name: "other", figures: { placed: 1, completed: 1, revenue: 0 } }]);
    expect(rows[0]?.figures).toMatchObject({ wait: { count: 0 }, brew: { count: 1 } });
  });

  test("names 50 baristas of an hour: all others are one, and all add up", async () => {
    await using shop = await TestOrders.open();
    const names = Array.from({ length: 60 }, (_, n) => `barista ${n}`);
    for (const name of names) await make(shop, name);
    await make(shop, "barista 0");
    const { rows, total } = await read(shop, "barista");
    expect(total.completed).toBe(61);
    expect(rows).toHaveLength(51);
    expect(rows.at(0)).toMatchObject({ name: "barista 0", figures: { completed: 2, revenue: 800 } });
    expect(rows.at(-1)).toMatchObject({
      name: "other",
      figures: { completed: 10, revenue: 4000, wait: { count: 10 } },
    });
    // The same, however few are counted at once.
    const whole = await dump(shop);
    await shop.client.del(...(await countedKeys(shop)));
    while (((await countSome(shop)) as number[])[0] === 1);
    expect((await read(shop, "barista")).total).toEqual(total);
    expect(whole).toHaveLength(1);
  });

  test("an hour is kept for 400 days after its end", async () => {
    await using shop = await TestOrders.open();
    await make(shop, "Ada");
    await stretch(shop, 1);
    await read(shop);
    const [hour = ""] = (await countedKeys(shop)).filter((name) => !name.endsWith(":counted"));
    const endMs = Date.parse(`${hour.slice(-13)}:00:00Z`) + HOUR_MS;
    const keptMs = Date.now() + (await shop.client.pttl(hour)) - endMs;
    expect(Math.abs(keptMs - 400 * DAY_MS)).toBeLessThan(60_000);
  });
});
