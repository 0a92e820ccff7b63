/** Owns the tests of seats whose order is not placed yet. */
import { afterEach, setDefaultTimeout, test } from "bun:test";
import type { Redis } from "ioredis";
import { brew, expectOrder, lookAtQueue, order, untilHeld } from "../support/http.ts";
import { TestRedis } from "../support/redis.ts";
import { startServer, stopServers } from "../support/server.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(60_000);
let redis: TestRedis | undefined;
afterEach(async () => {
  await stopServers();
  await redis?.stop();
});

/** The ids of the connections that listen to bells. */
async function findLanes(outside: Redis): Promise<string[]> {
  const connections = String(await outside.client("LIST")).split("\n");
  const blocked = connections.filter((line) => line.includes(" cmd=blpop "));
  return blocked.map((line) => /id=(\d+)/.exec(line)?.[1] ?? "");
}

test("a lane that reads all again while orders wait to be placed takes none of them for forgotten", async () => {
  redis = await TestRedis.start();
  const server = await startServer({ REDIS_URL: redis.url });
  const outside = redis.connect();
  const first = order(server);
  await untilHeld(server, 1);
  await until(async () => (await findLanes(outside)).length > 0, "a lane listens");
  // Two runs are under way and not answered; the other orders wait for the next one.
  await outside.client("PAUSE", 5000, "WRITE");
  const others: Promise<unknown>[] = [];
  for (const note of ["one", "two", "three", "four"]) {
    others.push(order(server, { note }));
    await Bun.sleep(5);
  }
  // Longer than seats that last stay without a lane.
  await Bun.sleep(100);
  for (const id of await findLanes(outside)) await outside.call("CLIENT", "KILL", "ID", id);
  await Bun.sleep(150);
  await outside.client("UNPAUSE");
  await until(async () => (await lookAtQueue(server)).depth === 5, "all are placed");
  const made = Promise.all(Array.from({ length: 5 }, () => brew(server)));
  for (const answer of await Promise.all([first, ...others])) expectOrder(answer as never, { status: "ready" });
  await made;
  outside.disconnect();
});
