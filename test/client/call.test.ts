/** Calls of machines: whatever happens between, each is answered once, with its own result. */
import { afterEach, expect, setDefaultTimeout, test } from "bun:test";
import { createClient, OrderRefused, RetryLater, work, type Handler } from "../../src/client/index.ts";
import { untilHeld } from "../support/http.ts";
import { startServer, type Server } from "../support/server.ts";
import { until } from "../support/until.ts";
import { answer, BadNetwork, halfAnAnswer, loseAnswer, pass, reset, type Act } from "./faults.ts";

setDefaultTimeout(60_000);

const servers: Server[] = [];
const stops: AbortController[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0)) stop.abort();
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

async function serve(environment: Readonly<Record<string, string>> = {}): Promise<Server> {
  const server = await startServer({ QUEUES: "adder lease_seconds=5 limit_capacity=1000", ...environment });
  servers.push(server);
  return server;
}

const add: Handler = (input) => {
  const [one, other] = input as [number, number];
  return { sum: one + other };
};

/** A worker of the queue. */
function employ(url: string, handler: Handler = add) {
  const stop = new AbortController();
  stops.push(stop);
  const single = (target: string, init: RequestInit) => fetch(target, { ...init, keepalive: false });
  const done = work("adder", handler, { url, signal: stop.signal, concurrency: 4, fetch: single });
  return async (): Promise<void> => {
    stop.abort();
    await done;
  };
}

test("a call takes any JSON, and its result is what the worker answered", async () => {
  const server = await serve();
  const stop = employ(server.baristas, (input) => input);
  const client = createClient({ url: server.customers });
  for (const input of [0, "", null, false, [], {}, { deep: [{ ünï: "c😀de" }] }, "x".repeat(200_000)]) {
    const order = await client.call("adder", input);
    expect(order).toMatchObject({ status: "ready", queue: "adder", attempts: 1 });
    expect(order.result).toEqual(input);
    expect(await client.wait(order.order_id)).toEqual(order);
  }
  await stop();
});

test("calls through bad networks on both ports are each made once, and answered with their own result", async () => {
  const server = await serve();
  const acts: readonly Act[] = [reset, loseAnswer, answer(503, { "Retry-After": "0" }), halfAnAnswer(30), pass, pass];
  const many = Array.from({ length: 10 }, () => acts).flat();
  await using street = await BadNetwork.open([server.customers], ...many);
  await using kitchen = await BadNetwork.open([server.baristas], ...many);
  let made = 0;
  const stop = employ(kitchen.url, (input, given) => {
    made += 1;
    return add(input, given);
  });
  const client = createClient({ url: street.url });
  const calls = await Promise.all(Array.from({ length: 60 }, (_, index) => client.call("adder", [index, 1000])));
  await stop();
  expect(calls.map(({ result }) => result)).toEqual(calls.map((_, index) => ({ sum: 1000 + index })));
  expect(calls.every(({ attempts }) => attempts === 1)).toBe(true);
  expect(made).toBe(60);
});

test("a call goes on where its server stops, at another replica", async () => {
  const shop = { SHOP: `test-${crypto.randomUUID()}` };
  const [first, second] = [await serve(shop), await serve(shop)];
  await using street = await BadNetwork.open([first.customers, second.customers]);
  const called = createClient({ url: street.url }).call("adder", [1, 2]);
  await untilHeld(first, 1);
  await first.stop();
  await untilHeld(second, 1);
  const stop = employ(second.baristas);
  expect(await called).toMatchObject({ status: "ready", result: { sum: 3 } });
  await stop();
});

test("a call that fails says why; one under the same key is the same", async () => {
  const server = await serve();
  const stop = employ(server.baristas, () => {
    throw new Error("can't add");
  });
  const client = createClient({ url: server.customers });
  const idempotencyKey = crypto.randomUUID();
  const [one, other] = await Promise.all([1, 2].map(() => client.call("adder", [1, 2], { idempotencyKey })));
  expect(one).toMatchObject({ status: "cancelled", reason: "machine_error", error: "can't add", attempts: 1 });
  expect(other).toEqual(one);
  await stop();
});

test("a call that its worker puts off is made later", async () => {
  const server = await serve();
  let tries = 0;
  const stop = employ(server.baristas, (input, given) => {
    if (++tries === 1) throw new RetryLater(0);
    return add(input, given);
  });
  const order = await createClient({ url: server.customers }).call("adder", [1, 2]);
  expect(order).toMatchObject({ status: "ready", attempts: 2, result: { sum: 3 } });
  await stop();
});

test("a call for later is scheduled, and made then", async () => {
  const server = await serve();
  const stop = employ(server.baristas);
  const client = createClient({ url: server.customers });
  const notBefore = new Date(Date.now() + 3000);
  const order = await client.call("adder", [1, 2], { notBefore });
  expect(order).toMatchObject({ status: "ready", not_before: notBefore.toISOString() });
  expect(Date.parse(order.started_at ?? "")).toBeGreaterThanOrEqual(notBefore.getTime());
  await stop();
});

test("a worker shows how far an order is; what it gives back costs no attempt", async () => {
  const server = await serve();
  const shown = Promise.withResolvers<string>();
  const stop = employ(server.baristas, (_input, { order, progress, signal }) => {
    progress({ percent: 40, message: "adding" });
    shown.resolve(order.order_id);
    return new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(new Error("stopped"))));
  });
  const client = createClient({ url: server.customers });
  const called = client.call("adder", [1, 2]);
  const id = await shown.promise;
  const look = async () => (await client.find(id)).progress;
  await until(async () => (await look()) !== undefined, "the progress is shown");
  expect(await look()).toEqual({ percent: 40, message: "adding" });
  await stop();
  expect(await client.find(id)).toMatchObject({ status: "queued", attempts: 0 });
  const stopOther = employ(server.baristas);
  expect(await called).toMatchObject({ status: "ready", attempts: 1, result: { sum: 3 } });
  await stopOther();
});

test("what no queue takes is refused: an unknown queue, input that is too long", async () => {
  const server = await serve();
  const client = createClient({ url: server.customers });
  const refusal = async (called: Promise<unknown>): Promise<unknown> => await called.catch((error: unknown) => error);
  expect(await refusal(client.call("none", 1))).toBeInstanceOf(OrderRefused);
  expect(await refusal(client.call("none", 1))).toMatchObject({
    status: 404,
    type: "urn:longpour:problem:queue_unknown",
  });
  expect(await refusal(client.call("../order", 1))).toBeInstanceOf(OrderRefused);
  expect(await refusal(client.call("adder", "x".repeat(300_000)))).toMatchObject({ status: 413 });
  const circular: unknown[] = [];
  circular.push(circular);
  expect(await refusal(client.call("adder", circular))).toBeInstanceOf(TypeError);
});

test("a call in a full queue waits until it may come in", async () => {
  const server = await serve({ QUEUES: "adder capacity=1" });
  const reasons: unknown[] = [];
  const client = createClient({ url: server.customers, onRetry: ({ status }) => reasons.push(status) });
  const calls = [client.call("adder", [1, 2]), client.call("adder", [3, 4])];
  await until(() => reasons.includes(429), "the second is refused for now");
  const stop = employ(server.baristas);
  expect((await Promise.all(calls)).map(({ result }) => result)).toEqual([{ sum: 3 }, { sum: 7 }]);
  await stop();
});
