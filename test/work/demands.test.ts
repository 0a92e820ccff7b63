/** Demands that other programs append to the shop's stream: what becomes of good ones and of bad ones. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Redis } from "ioredis";
import { ask, expectStatus, type WireOrder } from "../support/http.ts";
import { MachineServer } from "../support/machines.ts";
import { sharedRedis } from "../support/redis.ts";
import { until } from "../support/until.ts";
import { appendDemands, searchRows, sumTo, type WireRow } from "../support/work.ts";

setDefaultTimeout(120_000);

let redis: Redis;
beforeAll(async () => {
  redis = (await sharedRedis()).connect();
});
afterAll(() => redis.disconnect());

const newShop = (): string => `test-${crypto.randomUUID()}`;
const open = (shop: string, environment = {}): Promise<MachineServer> =>
  MachineServer.open({ machines: [], environment: { SHOP: shop, WORK: "on", MAX_HELD: "1000", ...environment } });

const streamOf = (shop: string): string => `{${shop}}:demands:work`;

/** Resolves once nothing is left in the stream, nor in anybody's hand. */
async function untilTaken(shop: string, ms?: number): Promise<void> {
  await until(async () => (await redis.xlen(streamOf(shop))) === 0, "all demands are taken", ms);
  expect(await redis.xpending(streamOf(shop), "servers")).toEqual([0, null, null, null]);
}

async function untilAllDone(server: MachineServer, count: number, query: string): Promise<WireRow[]> {
  let rows: WireRow[] = [];
  const isDone = async (): Promise<boolean> => {
    rows = await searchRows(server, query);
    return rows.length === count && rows.every(({ done }) => done);
  };
  await until(isDone, `${count} rows are done`, 30_000);
  return rows;
}

async function deadOf(server: MachineServer): Promise<WireOrder[]> {
  const answer = await ask(`${server.baristas}/dead?queue=work&limit=200`);
  expectStatus(answer, 200);
  return (answer.body as { orders: WireOrder[] }).orders;
}

describe("a good demand", () => {
  test.each([
    ["JSON", ["demand", '{"add_up_to":2,"done":false}']],
    ["JSON that says more", ["demand", '{"add_up_to":2,"colour":"red"}']],
    ["JSON beside other fields", ["source", "cron", "demand", '{"add_up_to":2}']],
    ["fields of its own", ["add_up_to", "2", "done", "false"]],
  ])("as %s becomes a row, and is done", async (_how, fields) => {
    const shop = newShop();
    await using server = await open(shop);
    await redis.xadd(streamOf(shop), "*", ...fields);
    const [row] = await untilAllDone(server, 1, "work_code=consumer-");
    expect(row).toMatchObject({ id: 1, add_up_to: 2, result: 3 });
    expect(row?.work_code).toMatch(/^consumer-[a-z0-9]{10}$/);
    await untilTaken(shop);
  });

  test("may bring a code of its own", async () => {
    const shop = newShop();
    await using server = await open(shop);
    await appendDemands(redis, shop, ['{"add_up_to":4,"work_code":"mine"}']);
    expect(await untilAllDone(server, 1, "work_code=mine")).toMatchObject([{ work_code: "mine", result: 10 }]);
  });

  test("that was appended before any server ran is taken too", async () => {
    const shop = newShop();
    await appendDemands(redis, shop, ['{"add_up_to":4}']);
    await using server = await open(shop);
    await untilAllDone(server, 1, "");
  });
});

test("1,000 demands: every row is done, and found by the beginning of its code", async () => {
  const shop = newShop();
  await using server = await open(shop);
  const numbers = Array.from({ length: 1000 }, (_, index) => index + 1);
  await appendDemands(
    redis,
    shop,
    numbers.map((addUpTo) => JSON.stringify({ add_up_to: addUpTo, done: false })),
  );
  const rows = await untilAllDone(server, 1000, "work_code=consumer-");
  expect(rows.map(({ add_up_to }) => add_up_to).toSorted((one, other) => one - other)).toEqual(numbers);
  for (const { add_up_to, result } of rows) expect(result).toBe(sumTo(add_up_to));
  await untilTaken(shop);
});

test("more demands than the queue has room for wait in the stream, and none is lost", async () => {
  const shop = newShop();
  await using server = await open(shop, { QUEUES: "work capacity=5" });
  await appendDemands(
    redis,
    shop,
    Array.from({ length: 300 }, () => '{"add_up_to":1}'),
  );
  // At most a batch is in hand.
  let most = 0;
  await until(
    async () => {
      const [pending] = (await redis.xpending(streamOf(shop), "servers")) as [number];
      most = Math.max(most, pending);
      return (await redis.xlen(streamOf(shop))) === 0;
    },
    "all demands are taken",
    60_000,
  );
  expect(most).toBeWithin(1, 101);
  await untilAllDone(server, 300, "");
});

describe("a bad demand", () => {
  test.each([
    ["that is no JSON", ["demand", "add_up_to=2"], "JSON", "add_up_to=2"],
    ["without fields of a demand", ["colour", "red"], "add_up_to is missing", { colour: "red" }],
    ["that is no object", ["demand", "[1]"], "demand must be", [1]],
    ["without add_up_to", ["demand", '{"done":false}'], "add_up_to is missing", { done: false }],
    ["out of range", ["demand", '{"add_up_to":1000001}'], "add_up_to must be", { add_up_to: 1_000_001 }],
    [
      "with half a character",
      ["demand", '{"add_up_to":1,"x":"\\ud800"}'],
      "x must be",
      '{"add_up_to":1,"x":"\\ud800"}',
    ],
    ["in fields, out of range", ["add_up_to", "0"], "add_up_to must be", { add_up_to: "0" }],
    ["with a wrong code", ["demand", '{"add_up_to":1,"work_code":"a b"}'], "work_code must be", expect.anything()],
    ["that is too deep", ["demand", "[".repeat(5000)], "100 levels", expect.stringMatching(/^\[{1000}$/)],
    [
      "that is too long",
      ["demand", `{"add_up_to":1,"x":"${"y".repeat(300_000)}"}`],
      "it has 300",
      expect.stringMatching(/^\{"add_up_to":1,"x":"y{980}$/),
    ],
  ])("%s is a dead letter with its reason, and no row", async (_what, fields, error, input) => {
    const shop = newShop();
    await using server = await open(shop);
    await redis.xadd(streamOf(shop), "*", ...fields);
    await untilTaken(shop);
    const [letter, ...more] = await deadOf(server);
    expect(more).toEqual([]);
    expect(letter).toMatchObject({ status: "cancelled", reason: "machine_error", queue: "work" });
    expect(letter).toMatchObject({ input: input as unknown });
    expect(letter?.error).toContain(error);
    expect(await searchRows(server)).toEqual([]);
  });

  test("keeps no good one from being made", async () => {
    const shop = newShop();
    await using server = await open(shop);
    await appendDemands(
      redis,
      shop,
      Array.from({ length: 40 }, (_, index) => (index % 2 === 0 ? "{" : '{"add_up_to":2}')),
    );
    await untilAllDone(server, 20, "work_code=consumer-");
    await untilTaken(shop);
    expect(await deadOf(server)).toHaveLength(20);
  });

  test("100,000 of them at once leave the newest 1,000, and the server serves", async () => {
    const shop = newShop();
    await appendDemands(
      redis,
      shop,
      Array.from({ length: 100_000 }, () => "no demand"),
    );
    await using server = await open(shop);
    await untilTaken(shop, 100_000);
    expect(await deadOf(server)).toHaveLength(200);
    for (const index of ["dead", "buried", "calls:work"]) expect(await redis.zcard(`{${shop}}:${index}`)).toBe(1000);
    expect(await searchRows(server)).toEqual([]);
  });
});

test("what a server had in hand when it died is taken over, once", async () => {
  const shop = newShop();
  const stream = streamOf(shop);
  await appendDemands(
    redis,
    shop,
    Array.from({ length: 10 }, (_, index) => JSON.stringify({ add_up_to: index + 1 })),
  );
  // A server that took them long ago, and has not been heard of since.
  await redis.xgroup("CREATE", stream, "servers", "0");
  const taken = (await redis.xreadgroup("GROUP", "servers", "dead", "STREAMS", stream, ">")) as [
    string,
    [string, string[]][],
  ][];
  const ids = taken[0]?.[1].map(([id]) => id) ?? [];
  await redis.call("XCLAIM", stream, "servers", "dead", "0", ...ids, "IDLE", "3600000");
  await using server = await open(shop);
  const rows = await untilAllDone(server, 10, "work_code=consumer-");
  expect(rows.map(({ add_up_to }) => add_up_to).toSorted((one, other) => one - other)).toEqual(
    Array.from({ length: 10 }, (_, index) => index + 1),
  );
  await untilTaken(shop);
});

test("a stream of a wrong type costs one line in the log; put right, demands are taken", async () => {
  const shop = newShop();
  await redis.set(streamOf(shop), "no stream");
  await using server = await open(shop);
  const lines = (): readonly unknown[] => server.lines.filter(({ level }) => Number(level) >= 40).map(({ msg }) => msg);
  await until(() => lines().length > 0, "it is logged");
  expectStatus(await ask(`${server.customers}/work`, { method: "POST" }), 201);
  await untilAllDone(server, 1, "");
  await until(async () => (await ask(`${server.baristas}/damaged`)).text.includes("demands:work"), "staff see it");
  expect(lines()).toHaveLength(1);
  await redis.del(streamOf(shop));
  await appendDemands(redis, shop, ['{"add_up_to":2}']);
  await untilAllDone(server, 1, "work_code=consumer-");
});
