/** Held customers are notified by the server that made their order final, whichever route did it: no bell rings. */
import { afterEach, expect, setDefaultTimeout, test } from "bun:test";
import { ask, cancelByCustomer, expectOrder, order, start, tell, untilHeld, type WireOrder } from "../support/http.ts";
import { TestRedis } from "../support/redis.ts";
import { startServer, stopServers, type Server } from "../support/server.ts";
import { soon, until } from "../support/until.ts";

setDefaultTimeout(60_000);
let redis: TestRedis | undefined;
afterEach(async () => {
  await stopServers();
  await redis?.stop();
});

/** Listens to what Redis runs; `rings` resolves to the bells that were rung so far. */
async function listenForBells(server: TestRedis) {
  const outside = server.connect();
  const monitor = await outside.monitor();
  const commands: string[][] = [];
  monitor.on("monitor", (_time: string, command: string[]) => commands.push(command));
  const isSeen = (mark: string): boolean => commands.some((command) => command.includes(mark));
  return {
    rings: async (): Promise<string[]> => {
      const mark = crypto.randomUUID();
      await outside.echo(mark);
      await until(() => isSeen(mark), "all commands are seen");
      return commands
        .filter(([name = "", key = ""]) => name.toUpperCase() === "RPUSH" && key.includes(":bell:"))
        .map(([, key = ""]) => key);
    },
    close: (): void => {
      monitor.disconnect();
      outside.disconnect();
    },
  };
}

type End = (server: Server, orderId: string) => Promise<unknown>;

const ENDS: readonly (readonly [string, WireOrder["status"], End])[] = [
  ["their customer cancels it", "cancelled", cancelByCustomer],
  ["a barista cancels it", "cancelled", (server, orderId) => tell(server, "cancel", orderId)],
  [
    "a barista finishes it",
    "ready",
    async (server, orderId) => {
      await start(server);
      await tell(server, "finish", orderId);
    },
  ],
  [
    "a barista finishes it and starts the next",
    "ready",
    async (server, orderId) => {
      await start(server);
      await tell(server, "finish", orderId, "next=0");
    },
  ],
  [
    "a barista fails it for good",
    "cancelled",
    async (server, orderId) => {
      await start(server);
      await tell(server, "fail", orderId, "", { json: { error: "no beans", retry: false } });
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
  expect(await bells.rings()).toEqual([]);
  bells.close();
});
