/** The work service at work on several servers: all calls answered, each demand one order, whatever dies meanwhile. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import type { Redis } from "ioredis";
import { call, orderOf } from "../support/machines.ts";
import { sharedRedis, TestRedis } from "../support/redis.ts";
import { startServer, type Server } from "../support/server.ts";
import { until } from "../support/until.ts";
import { appendDemands, searchRows, sumTo } from "../support/work.ts";

setDefaultTimeout(120_000);

let redis: Redis;
beforeAll(async () => {
  redis = (await sharedRedis()).connect();
});
afterAll(() => redis.disconnect());

const LIMITS = {
  LIMIT_CAPACITY: "10000",
  REQUESTS_PER_SECOND: "10000",
  MAX_HELD_PER_ADDRESS: "2000",
  MAX_HELD: "4000",
};

function startReplica(shop: string): Promise<Server> {
  return startServer({ SHOP: shop, WORK: "on", LEASE_SECONDS: "2", ...LIMITS });
}

test("1,000 calls at once through POST /queue/work/: every result is right", async () => {
  const server = await startReplica(`test-${crypto.randomUUID()}`);
  const numbers = Array.from({ length: 1000 }, (_, index) => index + 1);
  const answers = await Promise.all(numbers.map((addUpTo) => call(server, "work", { add_up_to: addUpTo })));
  expect(answers.map((answer) => orderOf(answer).result)).toEqual(numbers.map(sumTo));
  expect(await searchRows(server, "work_code=queue-&done=true")).toHaveLength(1000);
  await server.stop();
});

test("two replicas, one killed amid 1,000 demands: each demand is one row, and done", async () => {
  const shop = `test-${crypto.randomUUID()}`;
  const [doomed, other] = await Promise.all([startReplica(shop), startReplica(shop)]);
  const numbers = Array.from({ length: 1000 }, (_, index) => index + 1);
  const appended = appendDemands(
    redis,
    shop,
    numbers.map((addUpTo) => JSON.stringify({ add_up_to: addUpTo, done: false })),
  );
  // Amid it: some are rows already.
  await until(async () => (await redis.zcard(`{${shop}}:calls:labels:work`)) >= 100, "some are taken");
  await doomed.stop("SIGKILL");
  await appended;

  const stream = `{${shop}}:demands:work`;
  await until(async () => (await redis.xlen(stream)) === 0, "all demands are taken", 60_000);
  const isDone = async (): Promise<boolean> =>
    (await searchRows(other, "work_code=consumer-&done=true")).length === numbers.length;
  await until(isDone, "all rows are done", 60_000);
  const rows = await searchRows(other, "work_code=consumer-");
  expect(rows.map(({ add_up_to }) => add_up_to).toSorted((one, other_) => one - other_)).toEqual(numbers);
  for (const { add_up_to, result } of rows) expect(result).toBe(sumTo(add_up_to));
  expect(await redis.zcard(`{${shop}}:calls:work`)).toBe(numbers.length);
  await other.stop();
});

test("demands wait while Redis is away, and are taken when it is back", async () => {
  const own = await TestRedis.start();
  const client = own.connect();
  const shop = `test-${crypto.randomUUID()}`;
  const server = await startServer({ SHOP: shop, WORK: "on", REDIS_URL: own.url });
  const untilRows = (count: number): Promise<void> =>
    until(async () => (await searchRows(server, "done=true")).length === count, `${count} rows are done`, 30_000);
  await appendDemands(client, shop, ['{"add_up_to":1}']);
  await untilRows(1);
  await own.kill();
  await until(() => server.log().some(({ msg }) => String(msg).startsWith("Redis is away")), "it is noticed");
  await own.resume();
  await appendDemands(client, shop, ['{"add_up_to":2}', '{"add_up_to":3}']);
  await untilRows(3);
  // The outage has a line when it begins and one when it ends: nothing else is said of it.
  const lines = server.log().filter(({ level, msg }) => level !== "info" && !String(msg).startsWith("MAX_HELD"));
  expect(lines.map(({ msg }) => msg)).toEqual(["Redis is away: customers keep waiting"]);
  await server.stop();
  client.disconnect();
  await own.stop();
});
