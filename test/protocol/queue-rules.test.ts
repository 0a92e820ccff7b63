/** The rules of queues of machines: the limit, capacity, lease, attempts and retention of each, on all replicas. */
import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { keysOf } from "../../src/redis/keys.ts";
import { ahead, call, findQueue, placeCall } from "../support/calls.ts";
import {
  applyVerb,
  ask,
  cancelByCustomer,
  expectOrder,
  expectProblem,
  lookAtQueue,
  openWire,
  place,
  start,
  untilHeld,
} from "../support/http.ts";
import { TestNginx } from "../support/nginx.ts";
import { sharedRedis } from "../support/redis.ts";
import { startServer, type Server } from "../support/server.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(60_000);

const QUEUES = [
  "small capacity=3",
  "slow limit_capacity=2 limit_refill_per_second=0.001",
  "brief lease_seconds=1 max_attempts=2 retention_seconds=100",
  "plain",
].join(", ");
const SHOP = `rules-${crypto.randomUUID()}`;

let here: Server;
let there: Server;
beforeAll(async () => {
  [here, there] = await Promise.all([startServer({ SHOP, QUEUES }), startServer({ SHOP, QUEUES })]);
});

test("a queue's limit is its own: 429 under its policy, on all replicas; counter and other queues go on", async () => {
  const first = await call(here, "slow", 1, { headers: { Prefer: "respond-async" } });
  expectOrder(first, {}, 202);
  expect(first.headers["ratelimit-policy"]).toBe('"queue-slow";q=2;w=2000');
  expect(first.headers["ratelimit"]).toMatch(/^"queue-slow";r=1;t=\d+$/);
  await placeCall(there, "slow", 2);
  for (const server of [here, there, there]) {
    const denied = await call(server, "slow", 3, { headers: { Prefer: "respond-async" } });
    expect(expectProblem(denied, 429).type).toEndWith("too_many_orders");
    expect(denied.headers["ratelimit-policy"]).toBe('"queue-slow";q=2;w=2000');
    expect(Number(denied.headers["retry-after"])).toBeGreaterThan(0);
  }
  expect(await findQueue(here, "slow")).toMatchObject({ depth: 2 });
  const counter = await ask(`${here.customers}/order/`, { method: "POST", headers: { Prefer: "respond-async" } });
  expectOrder(counter, {}, 202);
  expect(counter.headers["ratelimit"]).toMatch(/^"order";r=249;/);
  const plain = await call(here, "plain", 1, { headers: { Prefer: "respond-async" } });
  expect(plain.headers["ratelimit"]).toMatch(/^"queue-plain";r=249;/);
  expectOrder(await cancelByCustomer(here, expectOrder(plain, {}, 202).order_id));
});

test("a held call has the headers of its queue's limit too", async () => {
  const waiting = call(here, "plain");
  const { order_id } = await start(there, "queue=plain&wait=10");
  await applyVerb(there, "finish", order_id);
  expect((await waiting).headers["ratelimit-policy"]).toBe('"queue-plain";q=250;w=250');
});

test("a full queue refuses with 429 and Retry-After, scheduled ones counted, until one is final", async () => {
  const queued = await placeCall(here, "small");
  await placeCall(there, "small");
  await placeCall(here, `small?not_before=${ahead(3_600_000)}`);
  await start(there, "queue=small");
  for (const server of [here, there]) {
    const refused = await call(server, "small", 4, { headers: { "Idempotency-Key": "full" } });
    expect(expectProblem(refused, 429).type).toEndWith("queue_full");
    expect(Number(refused.headers["retry-after"])).toBeGreaterThan(0);
  }
  expect(await findQueue(here, "small")).toMatchObject({ depth: 1, scheduled: 1, brewing: 1 });
  expectOrder(await applyVerb(here, "finish", queued.order_id), { status: "ready" });
  await placeCall(there, "small", 4, { headers: { "Idempotency-Key": "full" } });
  expect(await findQueue(there, "small")).toMatchObject({ depth: 2, scheduled: 1, brewing: 0 });
});

describe("a queue's lease and attempts", () => {
  test("count instead of the counter's: the order goes back, then it is dead, and its customer knows", async () => {
    const waiting = call(here, "brief", "in");
    const first = await start(there, "queue=brief&wait=10&barista=one");
    const second = await start(there, "queue=brief&wait=20&barista=two");
    expect(second).toMatchObject({ order_id: first.order_id, attempts: 2, barista: "two" });
    expectProblem(await applyVerb(here, "finish", first.order_id, "barista=one"), 409);
    const end = { order_id: first.order_id, status: "cancelled", reason: "barista_timeout", attempts: 2 } as const;
    expectOrder(await waiting, end);
    const { body } = await ask(`${there.baristas}/dead?queue=brief`);
    expect(body).toMatchObject({ orders: [{ ...end, input: "in" }], cursor: null });
  });

  test("are extended by the queue's own lease", async () => {
    const { order_id } = await placeCall(here, "brief");
    const { started_at = "" } = await start(there, "queue=brief");
    expectOrder(await applyVerb(here, "extend", order_id), { status: "brewing" });
    const client = (await sharedRedis()).connect();
    const leaseEnd = Number(await client.zscore(`${keysOf(SHOP).prefix}leases:brief`, order_id));
    client.disconnect();
    expect(leaseEnd - Date.parse(started_at)).toBeLessThan(900_000);
    expectOrder(await applyVerb(here, "finish", order_id), { status: "ready" });
  });

  test("as many failures as the queue has attempts, and it is dead", async () => {
    const { order_id } = await placeCall(here, "brief");
    const fail = async () => {
      await start(there, `order_id=${order_id}`);
      return await applyVerb(here, "fail", order_id, "", { json: { error: "no luck" } });
    };
    expectOrder(await fail(), { status: "queued", attempts: 1 });
    expectOrder(await fail(), { status: "cancelled", reason: "machine_error", attempts: 2 });
  });
});

test("a final call is kept for its queue's retention, a cup of the counter for the shop's", async () => {
  const { order_id } = await placeCall(here, "brief", 1, { headers: { "Idempotency-Key": "kept" } });
  await start(here, "queue=brief");
  expectOrder(await applyVerb(here, "finish", order_id, "", { json: 1 }));
  const cup = await place(here);
  expectOrder(await cancelByCustomer(here, cup.order_id));
  const client = (await sharedRedis()).connect();
  const secondsLeft = async (key: string) => (await client.pttl(keysOf(SHOP).prefix + key)) / 1000;
  expect(await secondsLeft(`order:${order_id}`)).toBeWithin(1, 101);
  expect(await secondsLeft(`order:${cup.order_id}`)).toBeGreaterThan(3600 * 100);
  const keys = await client.keys(`${keysOf(SHOP).prefix}once:*`);
  const values = await client.mget(keys);
  const its = keys.filter((_key, index) => values[index]?.startsWith(order_id));
  expect(its).toHaveLength(1);
  expect((await client.pttl(its[0] ?? "")) / 1000).toBeWithin(1, 101);
  client.disconnect();
});

test("a call that is held gets signs of life, and its result at the end of the answer", async () => {
  const own = await startServer({ QUEUES: "work", HEARTBEAT_SECONDS: "1" });
  const body = '{"add_up_to":2}';
  const head = `Host: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}`;
  const wire = openWire(own.customers, `POST /queue/work HTTP/1.1\r\n${head}\r\n\r\n${body}`);
  await until(() => /\r\n\r\n1\r\n \r\n/.test(wire.got()), "a sign of life came");
  expect(wire.got()).toStartWith("HTTP/1.1 200 ");
  const { order_id } = await start(own, "queue=work");
  await applyVerb(own, "finish", order_id, "", { json: 3 });
  await until(() => wire.got().endsWith("0\r\n\r\n"), "the answer is whole");
  expect(wire.got()).toContain('"result":3}');
  wire.socket.destroy();
  await own.stop();
});

test("on SIGTERM a held call is sent on with 303, and another replica holds it until its result", async () => {
  const leaving = await startServer({ SHOP, QUEUES });
  const waiting = call(leaving, "plain", "in");
  await untilHeld(leaving, 1);
  const stopping = leaving.stop();
  const redirect = await waiting;
  expect(redirect.status).toBe(303);
  expect(redirect.headers.location).toMatch(/^\/order\/[\da-f-]{36}\?wait$/);
  expect(await stopping).toBe(0);
  const goingOn = ask(here.customers + String(redirect.headers.location));
  await untilHeld(here, 1);
  const { order_id } = await start(there, "queue=plain&wait=10");
  await applyVerb(there, "finish", order_id, "", { json: "out" });
  expectOrder(await goingOn, { order_id, queue: "plain", input: "in", result: "out" });
});

test("behind nginx a call of 256 KB is held through a restart of its replica, and nobody notices", async () => {
  const own = { SHOP: `rules-${crypto.randomUUID()}`, QUEUES, TRUSTED_PROXIES: "127.0.0.1" };
  const replicas = await Promise.all([startServer(own), startServer(own)]);
  await using nginx = await TestNginx.start(replicas);
  const input = "x".repeat(256 * 1024 - 2);
  const waiting = call(nginx, "plain", input);
  const views = () => Promise.all(replicas.map((replica) => lookAtQueue(replica)));
  await until(async () => (await views()).some(({ held }) => held === 1), "the customer is held");
  const at = (await views()).findIndex(({ held }) => held === 1);
  await replicas[at]?.stop();
  const { order_id } = await start(nginx, "queue=plain&wait=10");
  expectOrder(await applyVerb(nginx, "finish", order_id, "", { json: input }));
  expectOrder(await waiting, { order_id, input, result: input });
  expectProblem(await call(nginx, "plain", `${input}y`), 413);
  await replicas[1 - at]?.stop();
});

test("rules that another server declares are in force at once, and the server says so", async () => {
  const before = await startServer({ SHOP, QUEUES: "turns lease_seconds=5" });
  const after = await startServer({ SHOP, QUEUES: "turns capacity=1" });
  expect(after.log().filter(({ queue }) => queue === "turns")).toMatchObject([{ level: "info" }]);
  await placeCall(before, "turns");
  expect(expectProblem(await call(before, "turns"), 429).type).toEndWith("queue_full");
  await Promise.all([before.stop(), after.stop()]);
});
