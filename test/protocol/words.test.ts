/** The log: what goes wrong is said without what customers and baristas said, at every level. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { ask, expectOrder, expectProblem, order, place, start, applyVerb } from "../support/http.ts";
import { TestRedis } from "../support/redis.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/until.ts";
import { expectNoWords } from "../support/words.ts";

setDefaultTimeout(60_000);

const WORDS = { note: "oat milk, please", customer_name: "Ada Lovelace" };

test("a script that fails: its type, message and stack, and nothing that it was given", async () => {
  const redis = await TestRedis.start();
  const shop = `test-${crypto.randomUUID()}`;
  const server = await startServer({ REDIS_URL: redis.url, SHOP: shop, LOG_LEVEL: "trace" });
  const { order_id } = await place(server, WORDS);
  const admin = redis.connect();
  // Each key that placing and finding reads is of another type.
  for (const key of ["orders", "settings", "menu", "queues", `order:${order_id}`]) {
    await admin.del(`{${shop}}:${key}`);
    await admin.lpush(`{${shop}}:${key}`, "a planted word");
    const answers = await Promise.all([
      order(server, WORDS, { headers: { Prefer: "respond-async", "Idempotency-Key": "oat-milk-key" } }),
      ask(`${server.customers}/order/${order_id}`),
      ask(`${server.baristas}/start/?barista=Grace&order_id=${order_id}`),
    ]);
    for (const { text } of answers) expect(text).not.toMatch(/redis\.call|EVALSHA|\.lua/);
    await admin.del(`{${shop}}:${key}`);
  }
  await server.stop();
  const errors = server.log().filter(({ err }) => err !== undefined);
  expect(errors.length).toBeGreaterThan(0);
  for (const { err } of errors) {
    expect(Object.keys(err as object).toSorted()).toEqual(["message", "stack", "type"]);
    expect((err as { message: string }).message.length).toBeLessThanOrEqual(500);
  }
  const all = JSON.stringify(server.log());
  expect(all).not.toMatch(/oat.milk|Lovelace|Grace|redis\.call|planted/);
  expect(all).not.toContain(order_id);
  admin.disconnect();
  await redis.stop();
});

test("the id of an order stands in debug lines as a short hash, the same for the same order, and nowhere else", async () => {
  const server = await startServer({ LOG_LEVEL: "trace" });
  const { order_id } = await place(server, WORDS);
  expectOrder(await ask(`${server.customers}/order/${order_id}`));
  expectOrder(await ask(`${server.baristas}/order/${order_id}/`));
  expectProblem(await ask(`${server.customers}/order/no-id-of-ours`), 422);
  await start(server, "barista=Grace");
  await applyVerb(server, "finish", order_id, "barista=Grace");
  const paths = () => server.log().flatMap(({ msg, path }) => (msg === "request" ? [String(path)] : []));
  await until(() => paths().filter((path) => path.startsWith("/order/#")).length === 3, "they are logged");
  await server.stop();
  const hashes = paths().flatMap((path) => /^\/order\/#([\da-f]{8})\/?$/.exec(path)?.[1] ?? []);
  expect(hashes).toHaveLength(3);
  expect(new Set(hashes).size).toBe(2);
  expect(JSON.stringify(server.log())).not.toMatch(new RegExp(`${order_id}|no-id-of-ours`));
});

test("every word that a test sends is marked on its way, and a server that prints one fails its test", async () => {
  const server = await startServer();
  const { order_id } = await place(server, WORDS);
  const { body } = await ask(`${server.baristas}/order/${order_id}`);
  // The test gets its own words back.
  expect(body).toMatchObject(WORDS);
  const raw = await (await fetch(`${server.baristas}/order/${order_id}`)).text();
  expect(() => expectNoWords(raw)).toThrow("words in the log");
  expect(() => expectNoWords(JSON.stringify(server.log()))).not.toThrow();
  await start(server, "barista=Grace");
  await server.stop();
});
