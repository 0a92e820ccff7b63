/** Workers against real servers: whatever happens between, each order is made, and its customer gets its own result. */
import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { getEventListeners } from "node:events";
import {
  createClient,
  OrderRefused,
  RetryLater,
  work,
  type BaristaRetry,
  type Ending,
  type Handler,
  type Order,
  type WorkOptions,
} from "../../src/client/index.ts";
import { DEFAULT_QUEUE } from "../../src/orders/orders.ts";
import { lookAtQueue, readWireOrder } from "../support/http.ts";
import { startServer, type Server } from "../support/server.ts";
import { soon, until } from "../support/until.ts";
import { answer, BadNetwork, halfAnAnswer, loseAnswer, pass, reset, silence, type Act } from "./faults.ts";

setDefaultTimeout(60_000);

const BUSY = answer(503, { "Retry-After": "0" });

let server: Server;
const stops: AbortController[] = [];

beforeEach(async () => {
  server = await startServer();
});

afterEach(async () => {
  for (const stop of stops.splice(0)) stop.abort();
  await server.stop();
});

/** A worker, and what became of its orders. */
function employ(url: string, handler: Handler, options: Partial<WorkOptions> = {}) {
  const endings: Ending[] = [];
  const retries: string[] = [];
  const stop = new AbortController();
  stops.push(stop);
  const done = work(DEFAULT_QUEUE, handler, {
    url,
    signal: stop.signal,
    // A connection a request: each is an act of the network.
    fetch: (target, init) => fetch(target, { ...init, keepalive: false }),
    onEnded: (_order, ending) => endings.push(ending),
    onRetry: ({ verb, reason }: BaristaRetry) => void retries.push(`${verb} ${reason}`),
    ...options,
  });
  const settled = done.catch((error: unknown) => error);
  return {
    endings,
    retries,
    signal: stop.signal,
    /** Resolves to what the work rejected with. */
    settled,
    stop: async (): Promise<void> => {
      stop.abort("enough");
      expect(await soon(settled, "the worker ends", 40_000)).toBeUndefined();
      expect(getEventListeners(stop.signal, "abort")).toEqual([]);
    },
  };
}

function orderFor(name: string, url = server.customers): Promise<Order> {
  return createClient({ url }).order({ customer_name: name });
}

const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `guest-${index}`);
const resultFor = ({ customer_name }: Order): unknown => ({ for: customer_name });
const forEachOwn: Handler = (_input, { order }) => resultFor(order);

/** Resolves once the handler has an order, to what it has. */
function hold() {
  const has = Promise.withResolvers<Parameters<Handler>[1]>();
  const result = Promise.withResolvers<unknown>();
  const handler: Handler = (_input, given) => {
    has.resolve(given);
    return result.promise;
  };
  return { handler, has: has.promise, finish: result.resolve };
}

describe("the answer of a handler", () => {
  test("is the order's result", async () => {
    const worker = employ(server.baristas, forEachOwn, { barista: "Grace" });
    const order = await orderFor("Ada");
    expect(readWireOrder(order)).toMatchObject({ status: "ready", barista: "Grace", result: { for: "Ada" } });
    await worker.stop();
    expect(worker.endings).toEqual(["finished"]);
    expect(worker.retries).toEqual([]);
  });

  test("may be none", async () => {
    const worker = employ(server.baristas, () => undefined);
    const order = await orderFor("Ada");
    expect(order).toMatchObject({ status: "ready" });
    expect(order).not.toHaveProperty("result");
    await worker.stop();
  });

  const circular: unknown[] = [];
  circular.push(circular);

  test.each([
    ["an error", () => Promise.reject(new Error("no milk")), "no milk"],
    ["a text that is thrown", () => Promise.reject("no milk"), "no milk"],
    ["an error without words", () => Promise.reject(new Error("")), "the worker failed"],
    ["what is no JSON", () => circular, /cyclic|circular/],
    ["what is too long", () => "x".repeat(300_000), "its result was refused: Body too large"],
    [
      "what is nested too deeply",
      () => JSON.parse("[".repeat(200) + "]".repeat(200)) as unknown,
      /its result was refused/,
    ],
  ])("that is %s fails the order, and the worker goes on", async (_what, handler: Handler, error) => {
    const worker = employ(server.baristas, (input, given) =>
      given.order.customer_name === "Ada" ? handler(input, given) : forEachOwn(input, given),
    );
    const failed = await orderFor("Ada");
    expect(failed).toMatchObject({ status: "cancelled", reason: "machine_error", attempts: 1 });
    expect(failed.error).toMatch(error);
    expect(await orderFor("Grace")).toMatchObject({ status: "ready", result: { for: "Grace" } });
    await worker.stop();
    expect(worker.endings).toEqual(["failed", "finished"]);
  });

  test("that is a RetryLater puts the order back, until it is made", async () => {
    let tries = 0;
    const worker = employ(server.baristas, () => {
      if (++tries < 3) throw new RetryLater(0, "no milk yet");
      return "milk";
    });
    expect(await orderFor("Ada")).toMatchObject({ status: "ready", attempts: 3, result: "milk" });
    await worker.stop();
    expect(worker.endings).toEqual(["failed", "failed", "finished"]);
  });
});

describe("a bad network", () => {
  const acts: readonly Act[] = [BUSY, loseAnswer, reset, halfAnAnswer(20), pass, loseAnswer, answer(502), pass, pass];

  test("does not make an order twice, nor mix up the results", async () => {
    await using network = await BadNetwork.open([server.baristas], ...Array.from({ length: 9 }, () => acts).flat());
    const made: string[] = [];
    const handler: Handler = (input, given) => {
      made.push(given.order.order_id);
      return forEachOwn(input, given);
    };
    const worker = employ(network.url, handler, { concurrency: 4 });
    const served = await Promise.all(names(60).map((name) => orderFor(name)));
    await worker.stop();
    for (const order of served) expect(order).toMatchObject({ status: "ready", attempts: 1, result: resultFor(order) });
    expect(new Set(served.map(({ order_id }) => order_id)).size).toBe(60);
    expect(made.toSorted()).toEqual(served.map(({ order_id }) => order_id).toSorted());
    expect(worker.endings).toEqual(names(60).map(() => "finished"));
    for (const verb of ["start", "finish"]) {
      for (const reason of ["lost", "busy"]) expect(worker.retries).toContain(`${verb} ${reason}`);
    }
  });

  test("that falls silent is left after a while", async () => {
    const ordered = orderFor("Ada");
    await until(async () => (await lookAtQueue(server)).depth === 1, "the order is queued");
    await using network = await BadNetwork.open([server.baristas], pass, silence);
    const worker = employ(network.url, forEachOwn);
    expect(await ordered).toMatchObject({ status: "ready", attempts: 1, result: { for: "Ada" } });
    await worker.stop();
    expect(worker.retries).toEqual(["finish silent"]);
  });

  test("that lost the answer of a start as the worker stopped leaves no order in its hands", async () => {
    const ordered = orderFor("Ada");
    await until(async () => (await lookAtQueue(server)).depth === 1, "the order is queued");
    await using network = await BadNetwork.open([server.baristas], loseAnswer, BUSY);
    const stop = new AbortController();
    const worker = employ(network.url, () => expect.unreachable(), {
      signal: stop.signal,
      onRetry: () => stop.abort(),
    });
    expect(await worker.settled).toBeUndefined();
    expect(worker.endings).toEqual(["released"]);
    expect(await lookAtQueue(server)).toMatchObject({ depth: 1, brewing: 0 });
    await makeNow(ordered);
  });
});

describe("a server", () => {
  test("that is killed and comes back gets each order made once", async () => {
    const shop = { SHOP: `test-${crypto.randomUUID()}` };
    const first = await startServer(shop);
    const ports = { CUSTOMER_PORT: new URL(first.customers).port, BARISTA_PORT: new URL(first.baristas).port };
    const made: string[] = [];
    const handler: Handler = async (input, given) => {
      made.push(given.order.order_id);
      if (made.length === 8) await first.stop("SIGKILL");
      return forEachOwn(input, given);
    };
    const worker = employ(first.baristas, handler, { concurrency: 3 });
    const orders = names(20).map((name) => orderFor(name, first.customers));
    await until(() => first.process.exitCode !== null || first.process.signalCode !== null, "it is killed", 20_000);
    const second = await startServer({ ...shop, ...ports });
    for (const order of await Promise.all(orders)) {
      expect(order).toMatchObject({ status: "ready", attempts: 1, result: resultFor(order) });
    }
    await worker.stop();
    expect(new Set(made).size).toBe(20);
    expect(made).toHaveLength(20);
    await second.stop();
  });

  test("that wants a token gets it, and ends the work of who has a wrong one", async () => {
    const own = await startServer({ STAFF_TOKEN: "a-staff-token", BARISTA_HOST: "127.0.0.1" });
    const stranger = employ(own.baristas, forEachOwn, { concurrency: 3, token: "a-wrong-one" });
    const refusal = await soon(stranger.settled, "the stranger is sent home");
    expect(refusal).toBeInstanceOf(OrderRefused);
    expect(refusal).toMatchObject({ status: 401 });
    const worker = employ(own.baristas, forEachOwn, { token: "a-staff-token" });
    expect(await orderFor("Ada", own.customers)).toMatchObject({ result: { for: "Ada" } });
    await worker.stop();
    await own.stop();
  });

  test("that is none of Longpour's ends the work", async () => {
    await using network = await BadNetwork.open([], answer(404, { "Content-Type": "text/html" }, "<h1>Not here</h1>"));
    expect(await employ(network.url, forEachOwn).settled).toMatchObject({ name: "OrderRefused", status: 404 });
  });
});

describe("a lease", () => {
  test("is extended for as long as the handler runs", async () => {
    const own = await startServer({ LEASE_SECONDS: "1" });
    await using network = await BadNetwork.open([own.baristas], pass, reset, BUSY);
    const extensions = () => network.seen.filter(({ head }) => head.startsWith("POST /extend/")).length;
    let rival: ReturnType<typeof employ> | undefined;
    const handler: Handler = async (input, given) => {
      rival = employ(own.baristas, () => expect.unreachable());
      await until(() => extensions() >= 10, "the lease is extended", 20_000);
      return forEachOwn(input, given);
    };
    const worker = employ(network.url, handler);
    const order = await orderFor("Ada", own.customers);
    expect(order).toMatchObject({ status: "ready", attempts: 1, result: { for: "Ada" } });
    await Promise.all([worker.stop(), rival?.stop()]);
    expect(worker.endings.concat(rival?.endings ?? [])).toEqual(["finished"]);
    await own.stop();
  });

  test("of an order that ended elsewhere is known to be lost: the handler's signal is aborted", async () => {
    const own = await startServer({ LEASE_SECONDS: "1" });
    const { handler, has } = hold();
    const worker = employ(own.baristas, handler);
    const ordered = orderFor("Ada", own.customers);
    const { order, signal } = await has;
    const cancel = `${own.baristas}/cancel/?order_id=${order.order_id}&barista=${order.barista}`;
    expect((await fetch(cancel, { method: "POST" })).status).toBe(200);
    await until(() => signal.aborted, "the handler is told");
    expect(signal.reason).toMatchObject({ name: "OrderRefused", status: 409 });
    expect(await ordered).toMatchObject({ status: "cancelled" });
    await until(() => worker.endings.length > 0, "the order has ended");
    expect(worker.endings).toEqual(["conflicts"]);
    await worker.stop();
    await own.stop();
  });
});

describe("a worker that is stopped", () => {
  test("gives back what it has, and does not wait for its handlers", async () => {
    const { handler, has } = hold();
    const worker = employ(server.baristas, handler);
    const ordered = orderFor("Ada");
    const { signal } = await has;
    await worker.stop();
    expect(signal.reason).toBe("enough");
    expect(worker.endings).toEqual(["released"]);
    expect(await lookAtQueue(server)).toMatchObject({ depth: 1, brewing: 0 });
    await makeNow(ordered);
  });

  test("may have time to finish what it has, and takes nothing more", async () => {
    const { handler, has, finish } = hold();
    const worker = employ(server.baristas, handler, { drainSeconds: 600 });
    const ordered = [orderFor("Ada"), orderFor("Grace")];
    const { signal } = await has;
    await until(async () => (await lookAtQueue(server)).depth === 1, "the other is queued");
    const stopped = worker.stop();
    finish("in time");
    await stopped;
    expect(signal.aborted).toBe(false);
    expect(await Promise.race(ordered)).toMatchObject({ status: "ready", result: "in time" });
    expect(await lookAtQueue(server)).toMatchObject({ depth: 1, brewing: 0 });
    const other = employ(server.baristas, forEachOwn);
    await Promise.all(ordered);
    await other.stop();
  });

  test("gives back what was not finished in that time", async () => {
    const { handler, has } = hold();
    const worker = employ(server.baristas, handler, { drainSeconds: 0.1 });
    const ordered = orderFor("Ada");
    const { signal } = await has;
    await worker.stop();
    expect(signal.aborted).toBe(true);
    expect(worker.endings).toEqual(["released"]);
    await makeNow(ordered);
  });

  test("before it began asks nothing", async () => {
    await using network = await BadNetwork.open([server.baristas]);
    expect(await employ(network.url, forEachOwn, { signal: AbortSignal.abort() }).settled).toBeUndefined();
    expect(network.seen).toEqual([]);
  });

  test("while nothing answers ends all the same", async () => {
    await using network = await BadNetwork.open([], ...Array.from({ length: 99 }, () => reset));
    const worker = employ(network.url, forEachOwn, { concurrency: 2 });
    await network.untilSeen(4);
    await worker.stop();
    expect(worker.endings).toEqual([]);
  });

  test("by its own hooks gives back what it has", async () => {
    const enough = new Error("enough");
    const { handler, has } = hold();
    const worker = employ(
      server.baristas,
      (input, given) => (given.order.customer_name === "Ada" ? "done" : handler(input, given)),
      {
        concurrency: 2,
        onEnded: (_order, ending) => {
          if (ending === "finished") throw enough;
        },
      },
    );
    const ordered = orderFor("Grace");
    await has;
    await orderFor("Ada");
    expect(await soon(worker.settled, "the worker ends")).toBe(enough);
    expect(await lookAtQueue(server)).toMatchObject({ depth: 1, brewing: 0 });
    await makeNow(ordered);
  });

  test.each([0, -1, 1.5, Number.NaN])("has to make one order at least at once, not %p", async (concurrency) => {
    expect(await employ(server.baristas, forEachOwn, { concurrency }).settled).toBeInstanceOf(RangeError);
  });
});

test("progress that is none fails its order", async () => {
  const worker = employ(server.baristas, (_input, { progress }) => progress({ percent: 101 }));
  const order = await orderFor("Ada");
  expect(order).toMatchObject({
    status: "cancelled",
    error: "progress: percent must be a number from 0 to 100, not 101",
  });
  await worker.stop();
});

/** Another worker makes what was given back. */
async function makeNow(ordered: Promise<Order>): Promise<void> {
  const other = employ(server.baristas, forEachOwn);
  const order = await ordered;
  expect(order).toMatchObject({ status: "ready", result: resultFor(order) });
  await other.stop();
}
