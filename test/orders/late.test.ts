/** Owns the tests of what is done to orders that Redis takes after it was given up. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { createOrders } from "../../src/orders/orders.ts";
import { openRedis, type ShopRedis } from "../../src/redis/connections.ts";
import { ORDER_SETTINGS } from "../support/orders.ts";
import { silent, TestRedis } from "../support/redis.ts";
import { endings } from "../support/settled.ts";
import { until } from "../support/until.ts";
import { parsing, type ParsedOrders } from "../support/wire.ts";

let server: TestRedis;
let redis: ShopRedis;
let orders: ParsedOrders;

beforeEach(async () => {
  server = await TestRedis.start();
  redis = await openRedis({ address: { url: server.url }, shop: "test", outageSeconds: 1, log: silent });
  orders = parsing(createOrders(redis, { ...ORDER_SETTINGS, outageSeconds: 1 }));
  // Redis knows the scripts.
  await place("before");
  await start();
  await orders.cancel({ orderId: "before", canceller: "barista", reason: "barista" });
});
afterEach(async () => {
  redis.close();
  await server.stop();
});

const place = (orderId: string, idempotencyKey?: string) =>
  orders.place({ orderId, queue: "default", draft: {}, idempotencyKey });

const start = (claimId?: string) => orders.start({ claimId, barista: "Grace", queue: "default" });

/** `queued`, `cancelled` …, `unknown`, or nothing while Redis is unavailable. */
async function statusOf(orderId: string): Promise<string | undefined> {
  const found = await orders.find(orderId).catch(() => undefined);
  return found?.kind === "found" ? found.order.status : found?.kind;
}

/** Sends the calls to a Redis that hangs, and lets it go on once they have given up. */
async function callTooLate(...calls: (() => Promise<unknown>)[]): Promise<void> {
  process.kill(server.pid, "SIGSTOP");
  const outcomes = await endings(calls.map((call) => call()));
  process.kill(server.pid, "SIGCONT");
  expect(new Set(outcomes)).toEqual(new Set(["RedisAwayError: Redis does not answer"]));
}

test("an order that Redis takes too late is cancelled, unless its customer can come back by their key", async () => {
  await callTooLate(
    () => place("late"),
    () => place("late, with a key", "k"),
  );
  await until(async () => (await statusOf("late, with a key")) === "queued", "the order with a key is queued");
  await until(async () => (await statusOf("late")) === "cancelled", "the order without one is cancelled");
  expect(await orders.find("late")).toMatchObject({ order: { reason: "customer_timeout" } });
});

test("an order that is started too late goes back, unless its barista may come back with the claim", async () => {
  await place("A");
  await place("B");
  await callTooLate(
    () => start(),
    () => start("c2"),
  );
  // Both are given out in one run; then the one without a claim is released, and that start counts for nothing.
  await until(async () => (await statusOf("B")) === "brewing", "the second order is started");
  await until(async () => (await statusOf("A")) === "queued", "the first order goes back");
  expect(await start("c2")).toMatchObject({ kind: "started", order: { order_id: "B" } });
  expect(await start()).toMatchObject({ kind: "started", order: { order_id: "A", attempts: 1 } });
});
