/** Held customers are notified by the server that made their order final, whichever route did it: no bell rings. */
import { afterEach, expect, setDefaultTimeout, test } from "bun:test";
import {
  ask,
  cancelByCustomer,
  expectOrder,
  order,
  start,
  applyVerb,
  untilHeld,
  type WireOrder,
} from "../support/http.ts";
import { TestRedis } from "../support/redis.ts";
import { startServer, stopServers, type Server } from "../support/server.ts";
import { soon, until } from "../support/until.ts";

setDefaultTimeout(60_000);
let redis: TestRedis | undefined;
afterEach(async () => {
  await stopServers();
  await redis?.stop();
});

/** Listens to bells; `rung` resolves to those that were rung so far. */
async function listenForBells(server: TestRedis) {
  const outside = server.connect();
  const heard = server.connect();
  const bells: string[] = [];
  await outside.config("SET", "notify-keyspace-events", "Kl");
  await heard.psubscribe("__keyspace@0__:*:bell:*");
  heard.on("pmessage", (_pattern: string, bell: string) => bells.push(bell));
  return {
    rung: async (): Promise<string[]> => {
      const mark = `:bell:${crypto.randomUUID()}`;
      await outside.rpush(mark, "");
      await until(() => bells.some((bell) => bell.endsWith(mark)), "all bells are heard");
      return bells.filter((bell) => !bell.endsWith(mark));
    },
    close: (): void => {
      heard.disconnect();
      outside.disconnect();
    },
  };
}

type End = (server: Server, orderId: string) => Promise<unknown>;

const ENDS: readonly (readonly [string, WireOrder["status"], End])[] = [
  ["their customer cancels it", "cancelled", cancelByCustomer],
  ["a barista cancels it", "cancelled", (server, orderId) => applyVerb(server, "cancel", orderId)],
  [
    "a barista finishes it",
    "ready",
    async (server, orderId) => {
      await start(server);
      await applyVerb(server, "finish", orderId);
    },
  ],
  [
    "a barista finishes it and starts the next",
    "ready",
    async (server, orderId) => {
      await start(server);
      await applyVerb(server, "finish", orderId, "next=0");
    },
  ],
  [
    "a barista fails it for good",
    "cancelled",
    async (server, orderId) => {
      await start(server);
      await applyVerb(server, "fail", orderId, "", { json: { error: "no beans", retry: false } });
    },
  ],
  ["its last lease runs out", "cancelled", (server) => start(server)],
];

test.each(ENDS)("who waits where %s is notified there", async (_how, status, end) => {
  redis = await TestRedis.start();
  const server = await startServer({ REDIS_URL: redis.url, LEASE_SECONDS: "1", MAX_ATTEMPTS: "1" });
  const ordering = order(server);
  await untilHeld(server, 1);
  const page = (await ask(`${server.baristas}/order/`)).body as { readonly orders: readonly WireOrder[] };
  const orderId = page.orders[0]?.order_id ?? "";
  const waiting = ask(`${server.customers}/order/${orderId}?wait`);
  await untilHeld(server, 2);
  const bells = await listenForBells(redis);
  await end(server, orderId);
  for (const held of [ordering, waiting]) {
    expectOrder(await soon(held, "the customer is answered", 10_000), { order_id: orderId, status });
  }
  expect(await bells.rung()).toEqual([]);
  bells.close();
});
