/**
 * Answers that have begun as 200 and can't end with their final order: they end as JSON that says what is so, or where
 * to go on.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { createClient } from "../../src/client/index.ts";
import {
  ask,
  expectOrder,
  expectProblem,
  expectStatus,
  openWire,
  order,
  place,
  readWireOrder,
  start,
  applyVerb,
  untilHeld,
  type Answer,
} from "../support/http.ts";
import { TestRedis } from "../support/redis.ts";
import { startServer, type Server } from "../support/server.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(120_000);

/** How many answers have begun when the data is lost. */
const BEGUN = 50;
/** An answer that has begun: its head, and the first sign of life. */
const HAS_BEGUN = /^HTTP\/1\.1 200 .*\r\n\r\n1\r\n \r\n/s;

let redis: TestRedis;

beforeAll(async () => {
  redis = await TestRedis.start();
});

afterAll(async () => {
  await redis.stop();
});

/** Orders on a socket of its own; resolves once the answer has begun, to how to read its end. */
async function begin(server: Server, request: string): Promise<() => Promise<unknown>> {
  const wire = openWire(server.customers, `${request} HTTP/1.1\r\nHost: app\r\n\r\n`);
  await until(() => HAS_BEGUN.test(wire.got()), `the answer to ${request} begins`);
  return async () => {
    await until(() => wire.got().endsWith("\r\n0\r\n\r\n"), "the answer has its whole end", 30_000);
    wire.socket.destroy();
    return JSON.parse(bodyOf(wire.got())) as unknown;
  };
}

/** The chunks of a body, put together. */
function bodyOf(got: string): string {
  let rest = got.slice(got.indexOf("\r\n\r\n") + 4);
  let body = "";
  for (let size = sizeOf(rest); size > 0; size = sizeOf(rest)) {
    const at = rest.indexOf("\r\n") + 2;
    body += rest.slice(at, at + size);
    rest = rest.slice(at + size + 2);
  }
  return body;
}

const sizeOf = (chunk: string): number => Number.parseInt(chunk, 16);

/** All data is gone, as after a failover to an empty replica. */
async function loseData(): Promise<void> {
  const cli = redis.connect();
  await cli.flushall();
  cli.disconnect();
  await redis.kill();
  await redis.resume();
}

const startOwn = (environment: Record<string, string>) => startServer({ REDIS_URL: redis.url, ...environment });

test("lost orders: an answer that has begun ends as a cancelled order, others as 404, and the log has one line", async () => {
  await using stack = new AsyncDisposableStack();
  const beating = await startOwn({ HEARTBEAT_SECONDS: "1" });
  const plain = await startOwn({ HEARTBEAT_SECONDS: "3600" });
  stack.defer(async () => void (await Promise.all([beating.stop("SIGKILL"), plain.stop("SIGKILL")])));

  const ids: string[] = [];
  const begun = Array.from({ length: BEGUN - 3 }, () => order(beating, { item: "latte", note: "soon gone" }));
  const client = createClient({ url: beating.customers, onRetry: ({ reason }) => expect.unreachable(reason) });
  const byClient = client.order();
  const { order_id: awaited } = await place(beating);
  const back = await begin(beating, `GET /order/${awaited}?wait`);
  const unbegun = order(plain);
  await untilHeld(beating, BEGUN - 1);
  await untilHeld(plain, 1);
  // By then, the answers of all who came before have begun.
  const last = await begin(beating, "POST /order/");
  await loseData();

  for (const answer of await Promise.all(begun)) {
    const lost = expectOrder(answer, { status: "cancelled", reason: "lost" });
    expect(answer.text).toMatch(/^ +\{/);
    expect(Date.parse(lost.placed_at)).toBeLessThanOrEqual(Date.parse(lost.finished_at ?? ""));
    ids.push(lost.order_id);
  }
  expect(new Set(ids).size).toBe(begun.length);
  expect(await byClient).toMatchObject({ status: "cancelled", reason: "lost" });
  expect(readWireOrder(await back())).toMatchObject({ order_id: awaited, status: "cancelled", reason: "lost" });
  expect(readWireOrder(await last())).toMatchObject({ status: "cancelled", reason: "lost" });
  expectProblem(await unbegun, 404);

  const warnings = ({ log }: Server) =>
    log().flatMap(({ msg, level, customers }) => (String(msg).includes("lost orders") ? [[level, customers]] : []));
  await until(() => warnings(beating).length > 0 && warnings(plain).length > 0, "the loss is in the logs", 40_000);
  expect(warnings(beating)).toEqual([["warn", BEGUN]]);
  expect(warnings(plain)).toEqual([["warn", 1]]);
});

test("a barista can't give the reason that stands for a loss", async () => {
  const server = await startOwn({});
  const { order_id } = await place(server);
  expectProblem(await applyVerb(server, "cancel", order_id, "reason=lost"), 422, "reason");
  expectOrder(await ask(`${server.customers}/order/${order_id}`), { status: "queued" });
  await server.stop();
});

test("Redis is unavailable when the time is over: an answer that has begun says where to go on", async () => {
  const server = await startOwn({ HEARTBEAT_SECONDS: "1", OUTAGE_SECONDS: "1" });
  const { order_id } = await place(server, { note: "later" });
  const end = await begin(server, `GET /order/${order_id}?wait=3`);
  await redis.kill();
  const body = await end();
  await redis.resume();
  expect(body).toEqual({ order_id, continue_at: `/order/${order_id}?wait=1` });
  const { continue_at: path } = body as { continue_at: string };
  expectOrder(await ask(server.customers + path), { order_id, note: "later", status: "queued" });
  await server.stop();
});

test("the order can't be read when the time is over: what has begun goes on to a request with a status of its own", async () => {
  const server = await startOwn({ HEARTBEAT_SECONDS: "1", SHOP: "damaged" });
  const { order_id } = await place(server);
  const end = await begin(server, `GET /order/${order_id}?wait=3`);
  const cli = redis.connect();
  await cli.set(`{damaged}:order:${order_id}`, "no hash");
  cli.disconnect();
  const body = (await end()) as { order_id: string; continue_at: string };
  expect(body).toEqual({ order_id, continue_at: `/order/${order_id}?wait=1` });
  expectStatus(await ask(`${server.customers}/order/${order_id}`), 500);
  await server.stop();
});

test.each([
  ["queued", undefined],
  ["brewing", "barista=Grace"],
])(
  "a drain that ends first ends an answer that has begun with the %s order and where to go on",
  async (status, query) => {
    const shop = `drain-${status}`;
    const server = await startOwn({ SHOP: shop, HEARTBEAT_SECONDS: "1", DRAIN_SECONDS: "2" });
    const ends = [await begin(server, "POST /order/"), await begin(server, "POST /order/")];
    if (query) await Promise.all([start(server, query), start(server, query)]);
    const plain: Promise<Answer> = order(server);
    await untilHeld(server, 3);
    const stopped = server.stop();
    // Who has no answer yet is redirected at once.
    expectStatus(await plain, 303);
    const bodies = await Promise.all(ends.map((end) => end()));
    expect(await stopped).toBe(0);

    const other = await startOwn({ SHOP: shop });
    for (const body of bodies) {
      const { continue_at: path, ...now } = body as { order_id: string; continue_at: string };
      expect(readWireOrder(now)).toMatchObject({ status });
      expect(path).toBe(`/order/${now.order_id}?wait`);
      const waiting = ask(other.customers + path);
      await untilHeld(other, 1);
      if (!query) await start(other);
      expectOrder(await applyVerb(other, "finish", now.order_id), {});
      expectOrder(await waiting, { order_id: now.order_id, status: "ready" });
    }
    await other.stop();
  },
);
