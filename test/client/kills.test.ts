/** Calls and workers through `kill -9` of each kind in turn: of a worker, and of a replica. */
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { fileURLToPath } from "node:url";
import { createClient } from "../../src/client/index.ts";
import { startServer, type Server } from "../support/server.ts";
import { soon, until } from "../support/until.ts";
import { BadNetwork } from "./faults.ts";

setDefaultTimeout(90_000);

const CALLS = 120;
const PROGRAM = fileURLToPath(new URL("./worker.ts", import.meta.url));
const running = new Set<Bun.Subprocess>();

afterAll(() => {
  for (const child of running) child.kill("SIGKILL");
});

function employ(url: string) {
  const child = Bun.spawn([process.execPath, PROGRAM, url], { stdout: "pipe" });
  running.add(child);
  let said = "";
  void (async () => {
    for await (const chunk of child.stdout) said += new TextDecoder().decode(chunk);
  })();
  return {
    /** How many orders it has begun to make. */
    begun: () => said.split("\n").length - 1,
    end: async (signal: NodeJS.Signals): Promise<number> => {
      child.kill(signal);
      return await soon(child.exited, "the worker ends", 30_000);
    },
  };
}

test("each call is answered once, with its own result", async () => {
  const shop = { SHOP: `test-${crypto.randomUUID()}`, QUEUES: "adder lease_seconds=1 limit_capacity=1000" };
  const start = (): Promise<Server> => startServer(shop);
  const replicas = [await start(), await start()] as const;
  const customers = replicas.map((replica) => replica.customers);
  const baristas = replicas.map((replica) => replica.baristas);
  await using street = await BadNetwork.open(customers);
  await using kitchen = await BadNetwork.open(baristas);
  const [doomed, other] = [employ(kitchen.url), employ(kitchen.url)];
  const client = createClient({ url: street.url });
  let answered = 0;
  const calls = Array.from({ length: CALLS }, async (_, index) => {
    const order = await client.call("adder", [index, 1000]);
    answered += 1;
    return order;
  });

  await until(() => doomed.begun() > 5 && other.begun() > 5, "both workers work", 30_000);
  await doomed.end("SIGKILL");
  const third = employ(kitchen.url);
  await until(() => third.begun() > 5, "another worker is there", 30_000);
  expect(answered).toBeLessThan(CALLS);
  await replicas[0].stop("SIGKILL");

  const orders = await Promise.all(calls);
  expect(orders.map(({ status, result }) => [status, result])).toEqual(
    orders.map((_, index) => ["ready", { sum: 1000 + index }]),
  );
  expect(new Set(orders.map(({ order_id }) => order_id)).size).toBe(CALLS);
  expect([await other.end("SIGTERM"), await third.end("SIGTERM")]).toEqual([0, 0]);
  expect(await replicas[1].stop()).toBe(0);
});
