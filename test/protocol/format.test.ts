/**
 * The format of a shop's data: claimed, upgraded under load by a rolling start, refused by a server that does not know
 * it.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import type { Redis } from "ioredis";
import { ask, brew, expectOrder, order, place, type Answer, type WireOrder } from "../support/http.ts";
import { sharedRedis } from "../support/redis.ts";
import { NEXT_VERSION, NextRelease } from "../support/release.ts";
import { startRefusedServer, startServer, type Server } from "../support/server.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(120_000);

let redis: Redis;
beforeAll(async () => {
  redis = (await sharedRedis()).connect();
});
afterAll(() => redis.disconnect());

const RELAXED = { LIMIT_CAPACITY: "100000", MAX_HELD_PER_ADDRESS: "10000", REQUESTS_PER_SECOND: "100000" };

interface Shop {
  readonly environment: Readonly<Record<string, string>>;
  readonly key: (name: string) => string;
}

async function newShop(): Promise<Shop> {
  const name = `format-${crypto.randomUUID()}`;
  const environment = { SHOP: name, REDIS_URL: (await sharedRedis()).url, ...RELAXED };
  return { environment, key: (own) => `{${name}}:${own}` };
}

/** Orders, and goes on where it is sent, until the order is final. */
async function waitThrough(first: Server, next: () => Server, note: string): Promise<WireOrder> {
  let answer = await order(first, { note });
  while (answer.status === 303) answer = await goOn(next, String(answer.headers.location));
  return expectOrder(answer, { note });
}

/** Asks until a server takes it: the one that redirected it has gone, and the next one may not be there yet. */
async function goOn(next: () => Server, path: string): Promise<Answer> {
  let answer: Answer | undefined;
  await until(async () => {
    answer = await ask(`${next().customers}${path}`).catch(() => undefined);
    return answer !== undefined;
  }, "a server is there");
  if (!answer) throw new Error("no answer");
  return answer;
}

test("a new shop's data is in this version's format", async () => {
  const { environment, key } = await newShop();
  const server = await startServer(environment);
  expect(await redis.get(key("format"))).toMatch(/^2 \d+\.\d+\.\d+ 2$/);
  expect(await server.stop()).toBe(0);
  // It starts again on what it left.
  const again = await startServer(environment);
  expect(await again.stop()).toBe(0);
});

test("a shop under load is upgraded by a rolling start: each customer gets one answer, no order is made twice", async () => {
  using next = new NextRelease();
  const { environment, key } = await newShop();
  const old = [await startServer(environment), await startServer(environment)] as const;
  // Some are over, and kept.
  for (let made = 0; made < 20; made += 1) {
    await place(old[0]);
    await brew(old[1], "barista=Grace");
  }
  let current: Server = old[0];
  const made: string[] = [];
  let isOver = false;
  const barista = async (): Promise<void> => {
    while (!isOver) {
      const started = await ask(`${current.baristas}/start/?wait=1`).catch(() => undefined);
      if (started?.status !== 200) continue;
      const { order_id: id } = started.body as WireOrder;
      const finish = () => ask(`${current.baristas}/finish/?order_id=${id}`, { method: "POST" }).catch(() => undefined);
      let finished = await finish();
      while (finished?.status !== 200) finished = await finish();
      made.push(id);
    }
  };
  const notes = Array.from({ length: 120 }, (_, index) => `customer ${index}`);
  const waiting = notes.map((note, index) => waitThrough(old[index % 2 === 0 ? 0 : 1], () => current, note));
  await until(async () => (await redis.zcard(key("waiting:default"))) >= 60, "most are queued");
  const baristas = [barista(), barista(), barista()];
  await until(() => made.length >= 10, "baristas are at work");

  const upgraded = await startServer(environment, { release: next.folder });
  current = upgraded;
  // They give way by themselves.
  expect(await Promise.all(old.map((server) => server.process.exited))).toEqual([0, 0]);
  for (const server of old) {
    const lines = server.log().filter(({ msg }) => String(msg).includes("a newer version has taken over"));
    expect(lines).toMatchObject([{ version: NEXT_VERSION }]);
  }
  const answers = await Promise.all(waiting);
  isOver = true;
  await Promise.all(baristas);
  expect(answers.map(({ note }) => note ?? "").toSorted()).toEqual(notes.toSorted());
  expect(answers.every(({ status }) => status === "ready")).toBe(true);
  expect(new Set(made).size).toBe(made.length);
  expect(new Set(answers.map(({ order_id }) => order_id))).toEqual(new Set(made));

  expect(await redis.get(key("format"))).toBe(`3 ${NEXT_VERSION} 3`);
  for (const id of await redis.zrange(key("orders"), "0", "-1")) {
    expect(await redis.get(key(`order:${id}`))).toStartWith("3\n");
    expect(await redis.pttl(key(`order:${id}`))).toBeGreaterThan(0);
  }
  const { exitCode, output } = await startRefusedServer(environment);
  expect(exitCode).toBe(1);
  expect(output).toContain(`is in format 3, which this version`);
  expect(output).toContain(`start Longpour ${NEXT_VERSION} or newer`);
  expect(
    output
      .trim()
      .split("\n")
      .filter((line) => line.startsWith("longpour:")),
  ).toHaveLength(1);
  expect(await upgraded.stop()).toBe(0);
});

test("more orders than a page are upgraded, none twice and none left", async () => {
  using next = new NextRelease();
  const { environment, key } = await newShop();
  const server = await startServer(environment);
  const orders = 1100;
  for (let placed = 0; placed < orders; placed += 100) {
    await Promise.all(Array.from({ length: 100 }, () => place(server)));
  }
  expect(await server.stop()).toBe(0);
  const upgraded = await startServer(environment, { release: next.folder });
  const line = upgraded.log().find(({ msg }) => String(msg).startsWith("orders are in this version's format"));
  expect(line).toMatchObject({ upgraded: orders });
  const ids = await redis.zrange(key("orders"), "0", "-1");
  const records = await redis.mget(...ids.map((id) => key(`order:${id}`)));
  expect(records.filter((record) => record?.startsWith("3\n"))).toHaveLength(orders);
  expect(await upgraded.stop()).toBe(0);
});

test("data of the version before formats is named at start, and left alone", async () => {
  const { environment, key } = await newShop();
  const id = "01938a5e-7c1b-7f3e-9a52-6f1d2c3b4a59";
  await redis.hset(key(`order:${id}`), { status: "queued", told: '"number":1,"item":"latte","price":400' });
  await redis.zadd(key("orders"), 1, id);
  const { exitCode, output } = await startRefusedServer(environment);
  expect(exitCode).toBe(1);
  expect(output).toContain("was written by a version that is too old for this one");
  expect(output).toContain("another name for SHOP");
  expect(await redis.hget(key(`order:${id}`), "status")).toBe("queued");
  expect(await redis.exists(key("format"))).toBe(0);
});

test.each([
  ["99 9.9.9", "is in format 99, which this version"],
  ["99 9.9.9 98 more", "start Longpour 9.9.9 or newer"],
  ["2 0.1.0", "put the key {"],
  ["nonsense", "can't be read"],
])("data whose format says %p is left alone, and the server does not start", async (kept, said) => {
  const { environment, key } = await newShop();
  await redis.set(key("format"), kept);
  const { exitCode, output } = await startRefusedServer(environment);
  expect(exitCode).toBe(1);
  expect(output).toContain(said);
  expect(await redis.get(key("format"))).toBe(kept);
});
