/**
 * Owns the comparison of the two ways of `redis/commit.lua`: what it does the usual way (`redis/usual/`) it does as the
 * operations themselves do. Random histories run both ways, by one clock, and every answer and key is the same.
 */
import { expect, test } from "bun:test";
import fc from "fast-check";
import type { Redis } from "ioredis";
import { asFunction, loadFunction, type Script } from "../../src/redis/script.ts";
import { scriptRunner } from "../../src/redis/script-runner.ts";
import { TestRedis } from "../support/redis.ts";

const HISTORIES = 150;
const PREFIX = "{usual}:";
const REPLICA = "replica-1";
/** Each run is a millisecond after the one before it. */
const CLOCK = "{ '1795000000', string.format('%d', ARGV[2] * 1000) }";
const LEASE_MS = 12;

const byClock = changed(loadFunction("commit"), "redis.call('TIME')", CLOCK);
const plain = changed(byClock, "operations[name].usual = run", "operations[name].usual = nil");

function changed(script: Script, from: string, to: string): Script {
  const text = script.source.replace(/^#!.*\n/, "").replaceAll(script.id, "$NAME");
  if (!text.includes(from)) throw new Error("nothing to change");
  return asFunction("commit", text.replace(from, to));
}

/** An order's id: of few, so that operations meet. */
const id = fc.integer({ min: 1, max: 30 }).map((number) => `order-${number}`);
const barista = fc.constantFrom('"Ada"', '"Grace"', '"Zoë \\n"');
const anyone = fc.oneof(barista, fc.constant(""));
const queue = fc.constantFrom("default", "default", "default", "bar");
const holder = fc.constantFrom("", REPLICA, "replica-2");
const rarely = (value: fc.Arbitrary<string>) => fc.option(value, { nil: "", freq: 8 });

/** The fields of one item by its operation, in the order in which a run does them. */
const ITEMS = {
  finish: fc.tuple(id, anyone, rarely(fc.constant('{"cups":2}'))),
  fail: fc.tuple(id, anyone, fc.constant('"no milk"'), fc.constantFrom("0", "1"), fc.constantFrom("0", "3")),
  release: fc.tuple(id, anyone),
  extend: fc.tuple(id, anyone),
  cancel: fc.tuple(id, fc.constantFrom("customer", "barista"), fc.constant("customer"), anyone),
  watch: fc.tuple(id, holder),
  place: fc.tuple(
    id,
    queue,
    fc.constantFrom("americano", "americano", "latte", "tea"),
    fc.constantFrom("{}", '{"note":"hot, please"}', '{"note":"\\n\\"}"}'),
    fc.constantFrom("", "orders:a", "orders:b"),
    holder,
    rarely(fc.constant('{"milk":"oat"}')),
    rarely(fc.constantFrom("c1", "c2")),
    rarely(fc.constant("CODE")),
    rarely(fc.constantFrom("k1", "k2")),
    fc.constant("hash"),
  ),
  start: fc.tuple(
    barista,
    queue,
    fc.constantFrom("0", "500"),
    rarely(fc.constantFrom("claim-1", "claim-2")),
    rarely(id),
    rarely(id),
  ),
};
type Name = keyof typeof ITEMS;
const NAMES = Object.keys(ITEMS) as Name[];
/** How many of the last fields travel only where one is there: as in the descriptors. */
const OPTIONAL: Partial<Record<Name, number>> = { finish: 1, place: 5, start: 3 };

const many = { maxLength: 6 };
const few = { maxLength: 1 };
const items = (name: Name) =>
  fc.array(ITEMS[name] as fc.Arbitrary<readonly string[]>, /finish|place|start/.test(name) ? many : few);
const operations = fc.tuple(...NAMES.map(items));

/** What befalls the shop between runs: a command without its key's prefix. */
const meddling = fc.constantFrom(
  ["HSET", "settings", "open", "false"],
  ["HSET", "settings", "open", "true"],
  ["HSET", "settings", "capacity", "4"],
  ["HDEL", "settings", "capacity"],
  ["HSET", "settings", "require_code", "true"],
  ["HDEL", "settings", "require_code"],
  ["SET", "order:order-3", "garbage"],
  [
    "SET",
    "order:order-4",
    '1\nqueued\n\n0\n0\ndefault\nnowhere\n\n\n\n\n\n\n\n\n\n\n\n\n"number":1,"item":"latte","price":1,"placed_at":"x"',
  ],
  ["DEL", "order:order-5"],
  ["ZREM", "waiting:default", "order-6"],
  ["DEL", "queue:default"],
  ["SET", "queue:bar", "no stream"],
  ["SET", "leases:bar", "no index"],
  ["SET", "waiting:bar", "no index"],
);

interface Step {
  readonly operations: readonly (readonly (readonly string[])[])[];
  readonly meddling: readonly string[] | null;
  readonly isSentAgain: boolean;
}
const step: fc.Arbitrary<Step> = fc.record({
  operations,
  meddling: fc.option(meddling, { freq: 6 }),
  isSentAgain: fc.boolean(),
});

function argumentsOf(number: number, { operations: kinds }: Step): string[] {
  const args = ["slot", String(number), String(LEASE_MS), "3", "600000", "5", "0.01", REPLICA, "commit"];
  for (const [index, name] of NAMES.entries()) {
    const rows = kinds[index] ?? [];
    if (rows.length === 0) continue;
    const full = rows[0]?.length ?? 0;
    let width = full;
    while (
      width > full - (OPTIONAL[name] ?? 0) &&
      rows.every((row) => row[width - 1] === "" || row[width - 1] === "hash")
    )
      width -= 1;
    args.push(name, String(rows.length), String(width), ...rows.flatMap((row) => row.slice(0, width)));
  }
  return args;
}

/** Runs a history in a database of its own. Resolves to all answers, and all that is stored. */
async function play(redis: Redis, script: Script, steps: readonly Step[]): Promise<unknown> {
  await redis.flushdb();
  const run = scriptRunner(redis, PREFIX);
  const answers: unknown[] = [];
  for (const [index, one] of steps.entries()) {
    if (one.meddling) {
      const [command = "", key = "", ...values] = one.meddling;
      await redis.call(command, PREFIX + key, ...values);
    }
    const args = argumentsOf(index + 1, one);
    const said = await run(script, args).catch((error: Error) =>
      error.message.replaceAll(/user_function:\d+: |script: .*/g, ""),
    );
    answers.push(said);
    if (one.isSentAgain) answers.push(await run(script, args).catch(() => "refused"));
  }
  return { answers, stored: await dump(redis) };
}

async function dump(redis: Redis): Promise<Record<string, unknown>> {
  const stored: Record<string, unknown> = {};
  for (const key of (await redis.keys("*")).toSorted()) {
    const type = await redis.type(key);
    stored[key] = [type, (await redis.pttl(key)) > 0, await READ[type]?.(redis, key)];
  }
  return stored;
}

const READ: Record<string, (redis: Redis, key: string) => Promise<unknown>> = {
  string: (redis, key) => redis.get(key),
  list: (redis, key) => redis.lrange(key, 0, -1),
  set: async (redis, key) => (await redis.smembers(key)).toSorted(),
  hash: (redis, key) => redis.hgetall(key),
  zset: (redis, key) => redis.zrange(key, 0, "-1", "WITHSCORES"),
  stream: async (redis, key) => [await redis.xrange(key, "-", "+"), await redis.xinfo("GROUPS", key)],
};

test("random histories come to the same, the usual way and without it", async () => {
  const server = await TestRedis.start();
  const [usually, plainly] = [server.connect(), server.connect()];
  await plainly.select(1);
  let [usual, all] = [0, 0];
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      expect(await play(usually, byClock, steps)).toEqual(await play(plainly, plain, steps));
      usual += 1;
      all += steps.length;
    }),
    { numRuns: HISTORIES },
  );
  expect(all).toBeGreaterThan(usual);
  usually.disconnect();
  plainly.disconnect();
  await server.stop();
});
