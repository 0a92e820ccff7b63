/** Owns the tests of redis/lib/events.lua: how events are numbered and trimmed, whatever the clock does. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Redis } from "ioredis";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { readEntry } from "../../src/events/event.ts";
import { SCRIPT_HEAD } from "../../src/redis/script.ts";
import { TestRedis } from "../support/redis.ts";

const library = (name: string): string => readFileSync(join(import.meta.dir, "../../redis/lib", `${name}.lua`), "utf8");
const KEPT = 20;
const MARK_EVERY = 5;
/** Appends ARGV[1] events in one go; keeps few, so that a test can fill the stream. */
const source = [SCRIPT_HEAD, library("keys"), library("try"), library("clock"), library("events")]
  .join("\n")
  .replace("local EVENTS_KEPT = 100000", `local EVENTS_KEPT = ${KEPT}`)
  .replace("local MARK_EVERY = 1000", `local MARK_EVERY = ${MARK_EVERY}`)
  .concat("\nfor i = 1, ARGV[1] do add_event('order.placed', 'A', '\"n\":' .. i) end\nreturn append_events()");

let server: TestRedis;
let client: Redis;
beforeAll(async () => {
  // A node an entry: what may be trimmed is.
  server = await TestRedis.start("--stream-node-max-entries", "1");
  client = server.connect();
});
afterAll(async () => {
  client.disconnect();
  await server.stop();
});

/** A shop of its own, and what its events are. */
function openShop() {
  const prefix = `{${crypto.randomUUID()}}:`;
  const key = (name: string) => `${prefix}${name}`;
  return {
    key,
    append: async (count: number) => String(await client.eval(source, 1, prefix, count)),
    entries: async () => await client.xrange(key("events"), "-", "+"),
    numbers: async () => {
      const entries = await client.xrange(key("events"), "-", "+");
      return entries.flatMap((entry) => readEntry(entry, "0-0")).map(({ id }) => Number(id.split("-")[1]));
    },
  };
}

const upTo = (last: number, first = 1) => Array.from({ length: last - first + 1 }, (_, index) => first + index);
const msOf = (id: string) => Number(id.split("-")[0]);

test("the library is the one that ships, but for how much it keeps", () => {
  expect(source).toContain(`EVENTS_KEPT = ${KEPT}`);
  expect(source).toContain(`MARK_EVERY = ${MARK_EVERY}`);
});

test("events are numbered without gaps across runs, and an entry has its last event's id", async () => {
  const shop = openShop();
  const ids: string[] = [];
  for (const count of [1, 3, 1, 4]) ids.push(await shop.append(count));
  expect(ids.map((id) => Number(id.split("-")[1]))).toEqual([1, 4, 5, 9]);
  expect(await shop.numbers()).toEqual(upTo(9));
  expect((await shop.entries()).map(([id]) => id)).toEqual(ids);
});

test("a run without events appends no entry and takes no number", async () => {
  const shop = openShop();
  expect(await shop.append(0)).toBe("");
  expect(await client.exists(shop.key("events"), shop.key("events:count"))).toBe(0);
  await shop.append(1);
  expect(await shop.append(0)).toBe("");
  await shop.append(1);
  expect(await shop.numbers()).toEqual([1, 2]);
});

test.each([
  ["one event an entry", [1]],
  ["entries of several", [3]],
  ["entries of many sizes", [1, 4, 2, 5]],
])("of %s so many events are kept, and at most one mark's more", async (_what, sizes) => {
  const shop = openShop();
  const maxWait = Math.max(...sizes);
  let last = 0;
  for (let run = 0; last < 150; run += 1) {
    const size = sizes[run % sizes.length] ?? 1;
    await shop.append(size);
    last += size;
    const numbers = await shop.numbers();
    // What is kept is the newest, without a gap.
    expect(numbers).toEqual(upTo(last, numbers[0]));
    expect(numbers.length).toBeGreaterThanOrEqual(Math.min(last, KEPT));
    expect(numbers.length).toBeLessThanOrEqual(KEPT + MARK_EVERY + maxWait);
    expect(await client.llen(shop.key("events:marks"))).toBeLessThanOrEqual(KEPT / MARK_EVERY);
  }
  // It was trimmed at all.
  expect((await shop.numbers()).length).toBeLessThan(last);
});

test("where the clock was set back, events go on behind the newest, and their numbers without a gap", async () => {
  const shop = openShop();
  await shop.append(2);
  // One that was appended in an hour from now.
  const future = Date.now() + 3_600_000;
  await client.incr(shop.key("events:count"));
  await client.xadd(shop.key("events"), `${future}-3`, "order.placed", "A\t");
  const ids = [await shop.append(1), await shop.append(3)];
  expect(ids).toEqual([`${future}-4`, `${future}-7`]);
  expect(await shop.numbers()).toEqual(upTo(7));
});

test("where the count of events is lost and the clock is set back, numbers go on behind the newest", async () => {
  const shop = openShop();
  await shop.append(3);
  const future = Date.now() + 3_600_000;
  await client.xadd(shop.key("events"), `${future}-4`, "order.placed", "A\t");
  await client.del(shop.key("events:count"));
  expect(await shop.append(2)).toBe(`${future}-6`);
  expect(await shop.append(1)).toBe(`${future}-7`);
  expect(await shop.numbers()).toEqual(upTo(7));
});

test("ids grow with the clock", async () => {
  const shop = openShop();
  const before = Number((await client.time())[0]) * 1000;
  const id = await shop.append(1);
  expect(msOf(id)).toBeWithin(before, before + 60_000);
});

test.each(["events", "events:count"])(
  "where %s holds another type, no event is kept, and nothing fails",
  async (name) => {
    const shop = openShop();
    await client.rpush(shop.key(name), "no such thing");
    expect(await shop.append(2)).toBe("");
    expect(await client.lrange(shop.key(name), 0, -1)).toEqual(["no such thing"]);
  },
);
