/** Machines in a server, called over HTTP on a real Redis: what they get, and what their customers are answered. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { Type } from "@sinclair/typebox";
import { defineMachine, type MakeContext } from "../../src/machines/machine.ts";
import { RetryLater } from "../../src/machines/retry-later.ts";
import { EventClient } from "../events/client.ts";
import { applyVerb, ask, expectProblem, expectStatus } from "../support/http.ts";
import { call, callLater, endOf, look, MachineServer, orderOf, untilStatus } from "../support/machines.ts";
import { RedisRelay } from "../support/relay.ts";
import { sharedRedis } from "../support/redis.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(60_000);

const Numbers = Type.Object({ a: Type.Number(), b: Type.Number() }, { additionalProperties: false });
const Sum = Type.Object({ sum: Type.Number() }, { additionalProperties: false });
const adder = defineMachine({ queue: "adder", input: Numbers, output: Sum, make: ({ a, b }) => ({ sum: a + b }) });

const Anything = { input: Type.Any(), output: Type.Any() };

/** A machine that makes nothing before the test says so; `begun` are those that it is at. */
function defineGated(
  own: { queue?: string; concurrency?: number; leaseSeconds?: number; timeoutSeconds?: number } = {},
) {
  const begun: (MakeContext & { readonly input: unknown; readonly end: (value: unknown) => void })[] = [];
  const machine = defineMachine({
    queue: "gated",
    ...Anything,
    ...own,
    make: (input, context) => {
      const { promise, resolve } = Promise.withResolvers<unknown>();
      begun.push({ ...context, input: input as unknown, end: resolve });
      return promise;
    },
  });
  const untilBegun = (count: number): Promise<void> => until(() => begun.length === count, `${count} are begun`);
  return { machine, begun, untilBegun };
}

test("a call is answered with what the machine made of its input", async () => {
  await using server = await MachineServer.open({ machines: [adder] });
  const order = orderOf(await call(server, "adder", { a: 1, b: 2 }));
  expect(order).toMatchObject({
    queue: "adder",
    status: "ready",
    input: { a: 1, b: 2 },
    result: { sum: 3 },
    attempts: 1,
  });
  expect(order.barista).toMatch(/^machine@/);
});

test("100 calls at once are each answered with their own result", async () => {
  const machine = defineMachine({
    queue: "fast",
    input: Numbers,
    output: Sum,
    concurrency: 8,
    make: ({ a, b }) => ({ sum: a + b }),
  });
  await using server = await MachineServer.open({ machines: [machine] });
  const answers = await Promise.all(Array.from({ length: 100 }, (_, a) => call(server, "fast", { a, b: 1 })));
  expect(answers.map((answer) => orderOf(answer).result)).toEqual(
    Array.from({ length: 100 }, (_, a) => ({ sum: a + 1 })),
  );
});

test("what the schema of the input forbids is refused with its fields, and nothing is queued", async () => {
  await using server = await MachineServer.open({ machines: [adder] });
  expectProblem(await call(server, "adder", { a: "1", b: 2 }), 422, "a");
  expectProblem(await call(server, "adder", { a: 1 }), 422, "b");
  expectProblem(await call(server, "adder", { a: 1, b: 2, c: 3 }), 422, "c");
  expectProblem(await call(server, "adder", [1, 2]), 422, "body");
  expect(orderOf(await call(server, "adder", { a: 1, b: 2 }))).toMatchObject({ number: 1 });
});

test("no more orders than its concurrency are made at once", async () => {
  const { machine, begun, untilBegun } = defineGated({ concurrency: 3 });
  await using server = await MachineServer.open({ machines: [machine] });
  const answers = Array.from({ length: 7 }, (_, number) => call(server, "gated", number));
  for (let made = 0; made < 7; made += 1) {
    const count = Math.min(made + 3, 7);
    await untilBegun(count);
    if (count < 7) await until(async () => (await depthOf(server, "gated")) === 7 - count, "the others wait");
    begun[made]?.end({ made });
  }
  expect((await Promise.all(answers)).map((answer) => orderOf(answer).status)).toEqual(
    Array.from({ length: 7 }, () => "ready"),
  );
});

async function depthOf({ customers }: MachineServer, wanted: string): Promise<number> {
  const { body } = await ask(`${customers}/queue`);
  const { queues } = body as { queues: { queue: string; depth: number }[] };
  return queues.find(({ queue }) => queue === wanted)?.depth ?? Number.NaN;
}

test("its lease is extended while it is at work", async () => {
  const { machine, begun, untilBegun } = defineGated({ leaseSeconds: 1 });
  await using server = await MachineServer.open({ machines: [machine] });
  const orderId = await callLater(server, "gated", null);
  const listener = await EventClient.open(`${server.customers}/order/${orderId}/events`);
  await untilBegun(1);
  const extended = (): number => listener.types.filter((type) => type === "order.extended").length;
  // More than one lease: thirds of it are over.
  await until(() => extended() >= 5, "the lease is extended");
  begun[0]?.end("done");
  expect(await endOf(server, orderId)).toMatchObject({ status: "ready", attempts: 1, result: "done" });
  expect(begun[0]?.signal.aborted).toBe(false);
  listener.hangUp();
});

describe("an order that is cancelled meanwhile", () => {
  test("aborts the signal, and its answer is dropped: the machine makes the next one", async () => {
    const { machine, begun, untilBegun } = defineGated({ leaseSeconds: 1 });
    await using server = await MachineServer.open({ machines: [machine] });
    const orderId = await callLater(server, "gated", 1);
    await untilBegun(1);
    expectStatus(await applyVerb(server, "cancel", orderId), 200);
    await until(() => begun[0]?.signal.aborted === true, "the signal is aborted");
    begun[0]?.end("late");
    const next = call(server, "gated", 2);
    await untilBegun(2);
    begun[1]?.end("next");
    expect(orderOf(await next).result).toBe("next");
    expect(await look(server, orderId)).toMatchObject({ status: "cancelled", reason: "barista" });
    expect(server.failures).toEqual([]);
  });
});

describe("when its time is over", () => {
  test("the signal is aborted, the order fails at once, and a late answer is dropped", async () => {
    const { machine, begun, untilBegun } = defineGated({ timeoutSeconds: 0.2 });
    await using server = await MachineServer.open({ machines: [machine] });
    const order = orderOf(await call(server, "gated", 1));
    expect(order).toMatchObject({ status: "cancelled", reason: "machine_error", attempts: 1 });
    expect(order.error).toBe("the machine did not answer within 0.2 s");
    expect(begun[0]?.signal.reason).toMatchObject({ name: "TimeoutError" });
    const next = call(server, "gated", 2);
    await untilBegun(2);
    begun[0]?.end("late");
    begun[1]?.end("next");
    expect(orderOf(await next).result).toBe("next");
    expect(await look(server, order.order_id)).toEqual(order);
    expect(server.failures).toMatchObject([{ queue: "gated", fault: "timed_out" }]);
  });

  test("code that goes on keeps no other order waiting, until 100 of it go on", async () => {
    const { machine, begun, untilBegun } = defineGated({ timeoutSeconds: 0.01 });
    await using server = await MachineServer.open({ machines: [machine] });
    await Promise.all(Array.from({ length: 100 }, (_, number) => callLater(server, "gated", number)));
    await untilBegun(100);
    const last = call(server, "gated", "last");
    const isFull = () => server.lines.some(({ msg }) => String(msg).startsWith("a machine's code goes on"));
    await until(isFull, "it starts no more");
    expect(await depthOf(server, "gated")).toBe(1);
    begun[0]?.end("late");
    expect(orderOf(await last).status).toBe("cancelled");
    expect(begun).toHaveLength(101);
    for (const { end } of begun) end("late");
  });
});

describe("a RetryLater", () => {
  test("puts the order back, with its message, until it is made", async () => {
    const machine = defineMachine({
      queue: "flaky",
      ...Anything,
      make: (_input, { order }) => {
        if (order.attempts < 3) throw new RetryLater(0.05, "the oven is cold");
        return order.error ?? "none";
      },
    });
    await using server = await MachineServer.open({ machines: [machine] });
    const order = orderOf(await call(server, "flaky", null));
    expect(order).toMatchObject({ status: "ready", attempts: 3, result: "the oven is cold" });
    expect(server.failures).toEqual([]);
  });

  test("fails the order once its attempts are used up", async () => {
    const machine = defineMachine({
      queue: "broken",
      ...Anything,
      maxAttempts: 2,
      make: () => {
        throw new RetryLater(0, "the oven is cold");
      },
    });
    await using server = await MachineServer.open({ machines: [machine] });
    expect(orderOf(await call(server, "broken", null))).toMatchObject({
      status: "cancelled",
      reason: "machine_error",
      error: "the oven is cold",
      attempts: 2,
    });
  });
});

test("its progress is an event, and stands in the order meanwhile", async () => {
  const { machine, begun, untilBegun } = defineGated();
  await using server = await MachineServer.open({ machines: [machine] });
  const orderId = await callLater(server, "gated", null);
  const listener = await EventClient.open(`${server.customers}/order/${orderId}/events`);
  await untilBegun(1);
  begun[0]?.progress({ percent: 40, message: "half of it" });
  await until(() => listener.types.includes("order.progressed"), "it is heard");
  expect(await look(server, orderId)).toMatchObject({
    status: "brewing",
    progress: { percent: 40, message: "half of it" },
  });
  for (const percent of [50, 60, 99]) begun[0]?.progress({ percent });
  begun[0]?.end("done");
  await listener.untilOver();
  const heard = listener.events.filter(({ type }) => type === "order.progressed");
  expect(JSON.stringify(heard.at(-1))).toContain("99");
  expect(listener.types.at(-1)).toBe("order.finished");
  expect(await look(server, orderId)).not.toHaveProperty("progress");
});

test("what is made while Redis is unavailable is stored as soon as it answers, in one attempt", async () => {
  const redis = await sharedRedis();
  using relay = new RedisRelay(redis.port);
  const { machine, begun, untilBegun } = defineGated();
  await using server = await MachineServer.open({
    machines: [machine],
    environment: { REDIS_URL: relay.url, OUTAGE_SECONDS: "1" },
  });
  const orderId = await callLater(server, "gated", null);
  await untilBegun(1);
  relay.cut();
  begun[0]?.end("made");
  // Longer than a call waits for Redis.
  expectStatus(await ask(`${server.customers}/order/${orderId}`), 503);
  expectStatus(await ask(`${server.customers}/order/${orderId}`), 503);
  relay.mend();
  await until(async () => (await ask(`${server.customers}/readyz`)).status === 200, "Redis is back");
  expect(await untilStatus(server, orderId, "ready")).toMatchObject({ attempts: 1, result: "made" });
});

test("a lease that another server's machine took meanwhile is lost: its signal is aborted, and one result counts", async () => {
  const redis = await sharedRedis();
  using relay = new RedisRelay(redis.port);
  const shop = { SHOP: `test-${crypto.randomUUID()}` };
  const [cut, free] = [defineGated({ leaseSeconds: 1 }), defineGated({ leaseSeconds: 1 })];
  await using one = await MachineServer.open({
    machines: [cut.machine],
    environment: { ...shop, REDIS_URL: relay.url, OUTAGE_SECONDS: "1" },
  });
  const orderId = await callLater(one, "gated", null);
  await cut.untilBegun(1);
  relay.cut();
  await using other = await MachineServer.open({ machines: [free.machine], environment: shop });
  await free.untilBegun(1);
  relay.mend();
  await until(() => cut.begun[0]?.signal.aborted === true, "the first machine's signal is aborted");
  cut.begun[0]?.end("of the first");
  free.begun[0]?.end("of the second");
  expect(await endOf(other, orderId)).toMatchObject({ status: "ready", attempts: 2, result: "of the second" });
  expect(one.failures).toEqual([]);
});

test("what it logs stands in the server's log, with its queue", async () => {
  const machine = defineMachine({
    queue: "chatty",
    ...Anything,
    make: (_input, { log }) => log.info({ cups: 3 }, "warm"),
  });
  await using server = await MachineServer.open({ machines: [machine] });
  orderOf(await call(server, "chatty", null));
  expect(server.lines).toContainEqual(expect.objectContaining({ queue: "chatty", cups: 3, msg: "warm" }) as never);
});

test("two servers share one queue: each call is answered once, with its own result", async () => {
  const SHOP = `test-${crypto.randomUUID()}`;
  const made: string[] = [];
  const define = (name: string) =>
    defineMachine({
      queue: "shared",
      ...Anything,
      concurrency: 4,
      make: async (input, { order }) => {
        made.push(order.order_id);
        await Bun.sleep(1);
        return { input: input as unknown, by: name };
      },
    });
  await using one = await MachineServer.open({ machines: [define("one")], environment: { SHOP } });
  await using other = await MachineServer.open({ machines: [define("other")], environment: { SHOP } });
  const servers = [one, other];
  const answers = await Promise.all(
    Array.from({ length: 200 }, (_, number) => call(servers[number % 2] as MachineServer, "shared", number)),
  );
  const results = answers.map((answer) => orderOf(answer).result as { input: number; by: string });
  expect(results.map(({ input }) => input)).toEqual(Array.from({ length: 200 }, (_, number) => number));
  expect(new Set(results.map(({ by }) => by))).toEqual(new Set(["one", "other"]));
  expect(new Set(made).size).toBe(200);
  expect(made).toHaveLength(200);
});
