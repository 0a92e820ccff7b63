/** Results: what a barista answers with a finished order, on its way to the customer. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { Redis } from "ioredis";
import { createClient } from "../../src/client/index.ts";
import { keysOf } from "../../src/redis/keys.ts";
import {
  ask,
  expectOrder,
  expectProblem,
  expectStatus,
  order,
  place,
  start,
  applyVerb,
  untilHeld,
  type Answer,
} from "../support/http.ts";
import { TestNginx } from "../support/nginx.ts";
import { sharedRedis } from "../support/redis.ts";
import { startServer, type Server } from "../support/server.ts";
import { EventClient } from "../events/client.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(60_000);
const LIMIT_BYTES = 256 * 1024;

let here: Server;
let there: Server;
let redis: Redis;
const SHOP = `test-${crypto.randomUUID()}`;
const { prefix } = keysOf(SHOP);
beforeAll(async () => {
  redis = new Redis((await sharedRedis()).url);
  [here, there] = await Promise.all([startServer({ SHOP }), startServer({ SHOP })]);
});
afterAll(() => redis.disconnect());

const JSON_TYPE = { "Content-Type": "application/json" };
const finishWith = (
  ports: Server,
  id: string,
  body: string | Uint8Array,
  headers: Record<string, string> = JSON_TYPE,
) => applyVerb(ports, "finish", id, "", { body, headers });

async function brewing(): Promise<string> {
  const { order_id } = await place(here);
  return expectOrder(await ask(`${here.baristas}/start/?order_id=${order_id}`)).order_id;
}

/** What a program prints, once it has ended well. */
async function printed(command: readonly string[]): Promise<string> {
  const child = Bun.spawn([...command], { stdout: "pipe", stderr: "inherit" });
  const [text, exitCode] = await Promise.all([new Response(child.stdout).text(), child.exited]);
  expect(exitCode).toBe(0);
  return text;
}

test("a customer waits through curl, a barista answers curl -d, and the customer's 200 shows the result", async () => {
  const waiting = printed(["curl", "-sS", "-X", "POST", `${here.customers}/order/`]);
  await untilHeld(here, 1);
  const { order_id } = await start(here);
  const url = `${here.baristas}/finish/?order_id=${order_id}`;
  const output = await printed(["curl", "-sS", "-w", "%{http_code}", "-d", '{"cups":2}', url]);
  expect(output).toEndWith('"result":{"cups":2}}200');
  expect(await waiting).toEndWith('"result":{"cups":2}}');
});

test("a customer who is held elsewhere gets it, and so do all who look", async () => {
  const { order_id } = await place(here);
  const held = [here, there].map(({ customers }) => ask(`${customers}/order/${order_id}?wait`));
  await Promise.all([untilHeld(here, 1), untilHeld(there, 1)]);
  await start(here, `order_id=${order_id}`);
  const result = { cups: 2, note: "a\ttab, a\nbreak, an é, a 😀 and a \u2028" };
  const fields = { order_id, status: "ready", result } as const;
  expectOrder(await finishWith(there, order_id, JSON.stringify(result, null, 2)), fields);
  for (const answer of await Promise.all(held)) expectOrder(answer, fields);
  for (const port of [here.customers, there.customers, here.baristas]) {
    expectOrder(await ask(`${port}/order/${order_id}`), fields);
  }
  const found = await ask(`${here.baristas}/order/?limit=200`);
  expect(
    (found.body as { orders: { order_id: string }[] }).orders.find((each) => each.order_id === order_id),
  ).toMatchObject(fields);
});

test("longpour/client shows it", async () => {
  const client = createClient({ url: here.customers });
  const waiting = client.order({ item: "latte" });
  const { order_id } = await start(there);
  await finishWith(there, order_id, "[1,null,{}]");
  expect((await waiting).result).toEqual([1, null, {}]);
});

test("events do not carry it", async () => {
  const id = await brewing();
  const events = await EventClient.open(`${there.customers}/order/${id}/events`);
  await finishWith(here, id, '{"cups":2}');
  await until(() => events.types.includes("order.finished"), "the end is heard");
  expect(events.events.filter(({ data }) => "result" in (data as object))).toEqual([]);
  expectOrder(await ask(`${here.customers}/order/${id}`), { result: { cups: 2 } });
});

test.each(["null", "0", '""', "false", "[]", "{}", '"\\u0000"', '{"__proto__":1}', '"<\\/script>"', "1e20"])(
  "%s is a result",
  async (json) => {
    const id = await brewing();
    expectStatus(await finishWith(here, id, ` ${json}\r\n`), 200);
    expect((await ask(`${here.customers}/order/${id}`)).text).toEndWith(
      `"result":${JSON.stringify(JSON.parse(json))}}`,
    );
  },
);

test("without a body there is none, and finishing again keeps the first", async () => {
  const [plain, made] = [await brewing(), await brewing()];
  expect(expectOrder(await applyVerb(here, "finish", plain))).not.toHaveProperty("result");
  expect(expectOrder(await finishWith(here, plain, '"late"'))).not.toHaveProperty("result");
  expectOrder(await finishWith(here, made, '"first"'), { result: "first" });
  for (const body of ['"second"', ""]) expectOrder(await finishWith(there, made, body), { result: "first" });
});

const deep = (levels: number): string => "[".repeat(levels) + "]".repeat(levels);
const text = (bytes: number): string => `"${"x".repeat(bytes - 2)}"`;

test.each<[what: string, status: number, body: string | Uint8Array, headers: Record<string, string>]>([
  ["of more than 256 KB", 413, text(LIMIT_BYTES + 1), JSON_TYPE],
  ["that needs more than 256 KB in one line", 413, `[${"1e20,".repeat(20_000)}0]`, JSON_TYPE],
  ["that is not JSON", 400, "{cups:2}", JSON_TYPE],
  ["that is not JSON, through curl", 400, "cups=2", { "Content-Type": "application/x-www-form-urlencoded" }],
  ["that is not UTF-8", 400, new Uint8Array([0x22, 0xff, 0x22]), JSON_TYPE],
  ["of another type", 415, "{}", { "Content-Type": "text/plain" }],
  ["with half a character", 422, '{"drink":{"name":"\\ud83d"}}', JSON_TYPE],
  ["with half a character in a name", 422, '{"\\udc00":1}', JSON_TYPE],
  ["that is half a character", 422, '"\\ud83d"', JSON_TYPE],
  ["with a number beyond what can be held", 422, '{"drink":1e309}', JSON_TYPE],
  ["deeper than 100 levels", 422, deep(101), JSON_TYPE],
  ["deep enough to break a parser", 422, deep(100_000), JSON_TYPE],
])("a result %s is refused with %d, and the order is still brewing", async (_what, status, body, headers) => {
  const id = await brewing();
  expectProblem(await finishWith(here, id, body, headers), status);
  expectOrder(await ask(`${here.customers}/order/${id}`), { status: "brewing" });
  expectOrder(await applyVerb(here, "finish", id), { status: "ready" });
});

test("a body without an announced length is cut off at 256 KB", async () => {
  const id = await brewing();
  const answer = await fetch(`${here.baristas}/finish/?order_id=${id}`, {
    method: "POST",
    headers: JSON_TYPE,
    body: new ReadableStream({
      pull: (controller) => {
        controller.enqueue(new TextEncoder().encode("1".repeat(64 * 1024)));
      },
    }),
  }).catch(() => undefined);
  expect(answer?.status ?? 413).toBe(413);
  expectOrder(await ask(`${here.customers}/order/${id}`), { status: "brewing" });
  expectOrder(await applyVerb(here, "finish", id));
});

test("100 levels, and all of 256 KB, get through nginx; a run's kept answer does not hold them", async () => {
  await using nginx = await TestNginx.start([here, there]);
  const [high, big] = [await brewing(), await brewing()];
  const held: Promise<Answer> = ask(`${nginx.customers}/order/${big}?wait`);
  await until(async () => (await heldAnywhere()) === 1, "the customer is held");
  const url = (id: string): string => `${nginx.baristas}/finish/?order_id=${id}`;
  expectStatus(await ask(url(high), { method: "POST", headers: JSON_TYPE, body: deep(100) }), 200);
  const result = "x".repeat(LIMIT_BYTES - 2);
  expectOrder(await ask(url(big), { method: "POST", json: result }), { result });
  expectOrder(await held, { result });
  expectProblem(await ask(url(big), { method: "POST", json: `${result}y` }), 413);
  const runs = await redis.keys(`${prefix}run:*`);
  expect(runs.length).toBeGreaterThan(0);
  for (const run of runs) expect(await redis.strlen(run)).toBeLessThan(10_000);
});

async function heldAnywhere(): Promise<number> {
  const views = await Promise.all([here, there].map(({ baristas }) => ask(`${baristas}/queue`)));
  return views.reduce((sum, { body }) => sum + (body as { held: number }).held, 0);
}

test("other bodies are bounded as before", async () => {
  expectProblem(await order(here, { note: "x".repeat(17_000) }), 413);
});
