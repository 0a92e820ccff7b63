/** The client: whatever happens between, a customer gets their one order, or learns what no try could mend. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { getEventListeners } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createClient, OrderRefused, type Client, type Retry } from "../src/client/index.ts";
import {
  answer,
  BadNetwork,
  begin,
  halfAnAnswer,
  HELD_SO_FAR,
  lastChunk,
  reset,
  say,
  silence,
} from "./client/faults.ts";
import { brew, lookAtQueue, readWireOrder, start, applyVerb, untilHeld } from "./support/http.ts";
import { startServer, type Server } from "./support/server.ts";
import { until } from "./support/until.ts";

setDefaultTimeout(60_000);

const NO_ORDER = "01938a5e-7c1b-7f3e-9a52-6f1d2c3b4a59";
const JSON_TYPE = { "Content-Type": "application/json" };

let server: Server;

beforeAll(async () => {
  server = await startServer();
});

/** A client that notes why it tried again. */
function watched(url: string, silenceSeconds = 30): { client: Client; reasons: string[] } {
  const reasons: string[] = [];
  const onRetry = ({ reason, status }: Retry): unknown => reasons.push(status ? `${reason} ${status}` : reason);
  return { client: createClient({ url, silenceSeconds, onRetry }), reasons };
}

/** What a call rejects with. */
async function rejection(call: Promise<unknown>): Promise<unknown> {
  return await call.then(
    (value) => expect.unreachable(`resolved to ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  );
}

async function refusal(call: Promise<unknown>): Promise<OrderRefused> {
  const error = await rejection(call);
  expect(error).toBeInstanceOf(OrderRefused);
  return error as OrderRefused;
}

describe("an order", () => {
  test("resolves once it is ready", async () => {
    const { client, reasons } = watched(server.customers);
    const ordered = client.order({ item: "latte", note: "hot" });
    await brew(server);
    const order = await ordered;
    expect(readWireOrder(order)).toMatchObject({ item: "latte", note: "hot", status: "ready" });
    expect(await client.find(order.order_id)).toEqual(order);
    expect(await client.wait(order.order_id)).toEqual(order);
    expect(reasons).toEqual([]);
  });

  test("needs no draft, and goes through a URL with a slash", async () => {
    const ordered = createClient({ url: new URL(server.customers) }).order();
    await brew(server);
    expect(await ordered).toMatchObject({ item: "americano", status: "ready" });
  });

  test("resolves also when it is cancelled", async () => {
    const { client } = watched(server.customers);
    const byBarista = client.order();
    const { order_id } = await start(server);
    await applyVerb(server, "cancel", order_id);
    expect(await byBarista).toMatchObject({ order_id, status: "cancelled", reason: "barista" });
  });

  test("is cancelled by its customer while it is queued, and not later", async () => {
    const { client } = watched(server.customers);
    const idempotencyKey = crypto.randomUUID();
    const ordered = client.order({}, { idempotencyKey });
    const { order_id } = await placedUnder(idempotencyKey);
    expect(await client.cancel(order_id)).toMatchObject({ order_id, status: "cancelled", reason: "customer" });
    expect(await ordered).toMatchObject({ order_id, status: "cancelled" });

    const second = client.order();
    const { order_id: readyId } = await brew(server);
    await second;
    expect((await refusal(client.cancel(readyId))).status).toBe(409);
  });

  test("under one key is one order for two clients", async () => {
    const own = await startServer();
    const idempotencyKey = crypto.randomUUID();
    const orders = [1, 2].map(() => createClient({ url: own.customers }).order({ item: "mocha" }, { idempotencyKey }));
    await untilHeld(own, 2);
    expect((await lookAtQueue(own)).depth).toBe(1);
    const { order_id } = await brew(own);
    for (const order of await Promise.all(orders))
      expect(order).toMatchObject({ order_id, item: "mocha", status: "ready" });
    await own.stop();
  });

  test("over the limit waits until it may come in", async () => {
    const own = await startServer({ LIMIT_CAPACITY: "1" });
    const { client, reasons } = watched(own.customers);
    const orders = [client.order(), client.order()];
    await brew(own);
    await brew(own);
    expect(new Set((await Promise.all(orders)).map(({ order_id }) => order_id)).size).toBe(2);
    expect(reasons).toContain("busy 429");
    await own.stop();
  });

  async function placedUnder(key: string): Promise<{ order_id: string }> {
    const headers = { "Idempotency-Key": key, Prefer: "respond-async", ...JSON_TYPE };
    const response = await fetch(`${server.customers}/order/`, { method: "POST", headers, body: "{}" });
    return (await response.json()) as { order_id: string };
  }
});

describe("a refusal", () => {
  test("names the problem and the faulty field", async () => {
    const { client, reasons } = watched(server.customers);
    const refused = await refusal(client.order({ item: "tea" }));
    expect(refused).toMatchObject({ status: 422, type: "urn:longpour:problem:invalid_input", title: "Invalid input" });
    expect(refused.errors.map(({ field }) => field)).toEqual(["item"]);
    expect(refused.message).toContain(refused.detail);
    expect(reasons).toEqual([]);
  });

  test("comes for a key that was used with another draft", async () => {
    const idempotencyKey = crypto.randomUUID();
    const client = createClient({ url: server.customers });
    const ordered = client.order({ item: "latte" }, { idempotencyKey });
    const { order_id } = await start(server);
    const refused = await refusal(client.order({ item: "mocha" }, { idempotencyKey }));
    expect(refused).toMatchObject({ status: 422, type: "urn:longpour:problem:idempotency_mismatch", errors: [] });
    await applyVerb(server, "finish", order_id);
    await ordered;
  });

  test("comes for an order that is unknown", async () => {
    const client = createClient({ url: server.customers });
    for (const verb of ["find", "wait", "cancel"] as const) {
      expect((await refusal(client[verb](NO_ORDER))).status).toBe(404);
    }
    expect((await refusal(client.find("../livez"))).status).toBe(422);
  });

  test("is heard at the end of an answer that began with 200", async () => {
    const problem = (status: number) => JSON.stringify({ type: "urn:longpour:problem:some", title: "Some", status });
    const late = (status: number) => say(HELD_SO_FAR + lastChunk(problem(status)));
    await using network = await BadNetwork.open([server.customers], late(503), late(404));
    const { client, reasons } = watched(network.url);
    expect(await refusal(client.order())).toMatchObject({ status: 404, title: "Some", detail: "" });
    expect(reasons).toEqual(["busy 503"]);
  });

  test("comes for answers that are none of Longpour's", async () => {
    await using network = await BadNetwork.open(
      [],
      answer(404, { "Content-Type": "text/html" }, "<h1>Not here</h1>"),
      answer(200, { "Content-Type": "text/html" }, "<h1>It works!</h1>"),
      answer(200, JSON_TYPE, '{"status":200}'),
      answer(200, JSON_TYPE, JSON.stringify("long".repeat(300_000))),
      answer(500, JSON_TYPE, "null"),
      answer(400, JSON_TYPE, '{"title":1,"errors":"none"}'),
    );
    const client = createClient({ url: network.url });
    const refusals: string[] = [];
    for (let count = 0; count < 6; count++) refusals.push((await refusal(client.order())).message);
    const noOrder = "The answer is no order";
    expect(refusals).toEqual(["Status 404", noOrder, noOrder, noOrder, "Status 500", "Status 400"]);
  });

  test("is a TypeError, at once, for what is no URL or no header", async () => {
    const onRetry = (): never => expect.unreachable();
    const wrongUrl = createClient({ url: "http://no where/", onRetry });
    const wrongHeader = createClient({ url: server.customers, headers: { "a b": "c" }, onRetry });
    for (const client of [wrongUrl, wrongHeader]) expect(await rejection(client.order())).toBeInstanceOf(TypeError);
  });

  test("can be the caller's own, who had enough of trying", async () => {
    await using network = await BadNetwork.open([server.customers], reset, reset, reset);
    const enough = new Error("enough");
    const onRetry = ({ attempt }: Retry): void => {
      if (attempt === 2) throw enough;
    };
    expect(await rejection(createClient({ url: network.url, onRetry }).order())).toBe(enough);
    expect(network.seen).toHaveLength(2);
  });
});

describe("a bad network", () => {
  test("breaks connections and cuts answers; the order stays one", async () => {
    await using network = await BadNetwork.open(
      [server.customers],
      reset,
      say("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"),
      say(HELD_SO_FAR),
      say(HELD_SO_FAR + lastChunk("")),
      say(HELD_SO_FAR + lastChunk('{"order_id":"0193')),
      halfAnAnswer(40),
    );
    const { client, reasons } = watched(network.url);
    const ordered = client.order({ item: "espresso" });
    const { order_id } = await brew(server, "wait=30");
    expect(await ordered).toMatchObject({ order_id, status: "ready" });
    expect(reasons).toEqual(["lost", "lost", "lost", "cut", "cut", "lost"]);
    expect(network.seen).toHaveLength(7);
    expect(network.keys.size).toBe(1);
  });

  test("falls silent, before an answer and in it", async () => {
    await using network = await BadNetwork.open([server.customers], silence, begin(HELD_SO_FAR));
    const { client, reasons } = watched(network.url, 0.5);
    const ordered = client.order();
    const { order_id } = await brew(server, "wait=30");
    expect(await ordered).toMatchObject({ order_id, status: "ready" });
    expect(reasons.slice(0, 2)).toEqual(["silent", "silent"]);
    expect(network.keys.size).toBe(1);
  });

  test("with heartbeats is not silent", async () => {
    const own = await startServer({ HEARTBEAT_SECONDS: "1" });
    await using network = await BadNetwork.open([own.customers]);
    const { client, reasons } = watched(network.url, 3);
    const ordered = client.order();
    await until(() => network.answered.split("1\r\n \r\n").length > 4, "four heartbeats have come", 20_000);
    await brew(own);
    expect(await ordered).toMatchObject({ status: "ready" });
    expect(reasons).toEqual([]);
    await own.stop();
  });

  test("answers before the order is final", async () => {
    const queued = JSON.stringify({ order_id: NO_ORDER, status: "queued" });
    await using network = await BadNetwork.open([server.customers], answer(202, JSON_TYPE, queued));
    const { client, reasons } = watched(network.url);
    const ordered = client.order();
    await brew(server);
    expect(await ordered).toMatchObject({ status: "ready" });
    expect(reasons).toEqual(["unfinished"]);
  });
});

describe("Retry-After", () => {
  const hourAgo = new Date(Date.now() - 3_600_000);
  const after = (from: Date, seconds: number) => new Date(from.getTime() + seconds * 1000).toUTCString();

  test.each([
    ["seconds", 429, () => ({ "Retry-After": "1" })],
    ["a date", 503, () => ({ "Retry-After": after(new Date(), 2) })],
    [
      "a date of a server whose clock is wrong",
      502,
      () => ({ "Retry-After": after(hourAgo, 1), Date: after(hourAgo, 0) }),
    ],
  ])("in %s is obeyed", async (_form, status, headers) => {
    let saidAtMs = 0;
    await using network = await BadNetwork.open([server.customers], (customer, relay) => {
      saidAtMs = performance.now();
      answer(status, headers())(customer, relay);
    });
    const { client, reasons } = watched(network.url);
    const ordered = client.order();
    await brew(server);
    await ordered;
    expect((network.seen[1]?.atMs ?? 0) - saidAtMs).toBeGreaterThanOrEqual(1000);
    expect(reasons).toEqual([`busy ${status}`]);
  });

  test("of more than a day is a refusal", async () => {
    await using network = await BadNetwork.open([], answer(429, { "Retry-After": "86401" }));
    expect((await refusal(createClient({ url: network.url }).order())).status).toBe(429);
  });

  test("in no known form is none", async () => {
    await using network = await BadNetwork.open([server.customers], answer(504, { "Retry-After": "soon" }));
    const { client, reasons } = watched(network.url);
    const ordered = client.order();
    await brew(server);
    await ordered;
    expect(reasons).toEqual(["busy 504"]);
  });
});

describe("a server", () => {
  test("that is killed and comes back answers all, once", async () => {
    const shop = { SHOP: `test-${crypto.randomUUID()}` };
    const first = await startServer(shop);
    const { client, reasons } = watched(first.customers);
    const orders = Array.from({ length: 20 }, (_, index) => client.order({ customer_name: `guest ${index}` }));
    await untilHeld(first, 20);
    for (let made = 0; made < 5; made++) await brew(first);
    await first.stop("SIGKILL");
    const second = await startServer({ ...shop, CUSTOMER_PORT: new URL(first.customers).port });
    for (let made = 0; made < 15; made++) await brew(second);
    const served = await Promise.all(orders);
    expect(served.map(({ customer_name, status }) => `${customer_name} ${status}`)).toEqual(
      Array.from({ length: 20 }, (_, index) => `guest ${index} ready`),
    );
    expect(new Set(served.map(({ order_id }) => order_id)).size).toBe(20);
    expect(await lookAtQueue(second)).toMatchObject({ depth: 0, brewing: 0 });
    expect(reasons.length).toBeGreaterThanOrEqual(15);
    await second.stop();
  });

  test("that stops sends its customers on to another replica", async () => {
    const shop = { SHOP: `test-${crypto.randomUUID()}` };
    const [first, second] = await Promise.all([startServer(shop), startServer(shop)]);
    await using network = await BadNetwork.open([first.customers, second.customers]);
    const ordered = watched(network.url).client.order();
    await untilHeld(first, 1);
    await first.stop();
    await untilHeld(second, 1);
    const { order_id } = await brew(second);
    expect(await ordered).toMatchObject({ order_id, status: "ready" });
    expect(network.seen[1]?.head).toStartWith(`GET /order/${order_id}?wait `);
    await second.stop();
  });

  test("that stops in the middle of an answer says where to go on, and the client does", async () => {
    const shop = { SHOP: `test-${crypto.randomUUID()}`, HEARTBEAT_SECONDS: "1", DRAIN_SECONDS: "1" };
    const [first, second] = await Promise.all([startServer(shop), startServer(shop)]);
    await using network = await BadNetwork.open([first.customers, second.customers]);
    const { client, reasons } = watched(network.url);
    const ordered = client.order({ note: "in the middle" });
    await until(() => network.answered.includes("1\r\n \r\n"), "the answer begins");
    expect(await first.stop()).toBe(0);
    await untilHeld(second, 1);
    const { order_id } = await brew(second);
    expect(await ordered).toMatchObject({ order_id, note: "in the middle", status: "ready" });
    expect(reasons).toEqual(["unfinished"]);
    expect(network.seen.map(({ head }) => head.split(" HTTP")[0])).toEqual([
      "POST /order/",
      `GET /order/${order_id}?wait`,
    ]);
    await second.stop();
  });

  test("is followed to none but its own paths", async () => {
    const goOn = (path: string) => answer(200, JSON_TYPE, JSON.stringify({ order_id: NO_ORDER, continue_at: path }));
    await using network = await BadNetwork.open(
      [],
      goOn("//elsewhere.example/order"),
      goOn("http://elsewhere.example/"),
    );
    const client = createClient({ url: network.url });
    for (let count = 0; count < 2; count++) {
      expect((await refusal(client.order())).message).toBe("The answer is no order");
    }
  });

  test.each([
    ["before its answer begins", "3600"],
    ["in the middle of its answer", "1"],
  ])("that stops %s, and has no other replica, is waited for", async (_when, heartbeatSeconds) => {
    const environment = {
      SHOP: `test-${crypto.randomUUID()}`,
      HEARTBEAT_SECONDS: heartbeatSeconds,
      DRAIN_SECONDS: "1",
    };
    const first = await startServer(environment);
    await using network = await BadNetwork.open([first.customers]);
    const { client, reasons } = watched(network.url);
    const ordered = client.order();
    await untilHeld(first, 1);
    if (heartbeatSeconds === "1") await until(() => network.answered.includes("1\r\n \r\n"), "the answer begins");
    await first.stop();
    await until(() => reasons.length > 1, "the client tries again");
    const second = await startServer({ ...environment, CUSTOMER_PORT: new URL(first.customers).port });
    const { order_id } = await brew(second);
    expect(await ordered).toMatchObject({ order_id, status: "ready" });
    expect(network.keys.size).toBe(1);
    await second.stop();
  });
});

describe("an abort", () => {
  const busy = answer(503, { "Retry-After": "3600" });

  test.each([
    ["while nothing has come", silence, "asking"],
    ["in the middle of an answer", begin(HELD_SO_FAR), "answered"],
    ["between two tries", busy, "retry"],
  ])("%s rejects with the signal's reason and leaves nothing on the signal", async (_stage, act, stage) => {
    await using network = await BadNetwork.open([], act);
    const stages: string[] = [];
    const visit = new AbortController();
    const ordered = createClient({
      url: network.url,
      fetch: async (url, init) => {
        stages.push("asking");
        const response = await fetch(url, init);
        stages.push("answered");
        return response;
      },
      onRetry: () => stages.push("retry"),
    }).order({}, { signal: visit.signal });
    const reason = new Error("left");
    const rejected = rejection(ordered);
    await network.untilSeen(1);
    await until(() => stages.includes(stage), stage);
    expect(getEventListeners(visit.signal, "abort")).toHaveLength(1);
    visit.abort(reason);
    expect(await rejected).toBe(reason);
    expect(getEventListeners(visit.signal, "abort")).toHaveLength(0);
  });

  test("before the call sends nothing", async () => {
    await using network = await BadNetwork.open([]);
    const call = createClient({ url: network.url }).order({}, { signal: AbortSignal.abort("left") });
    expect(await rejection(call)).toBe("left");
    expect(network.seen).toEqual([]);
  });

  test("in the hook rejects, too", async () => {
    await using network = await BadNetwork.open([], busy);
    const visit = new AbortController();
    const client = createClient({ url: network.url, onRetry: () => visit.abort("left") });
    expect(await rejection(client.order({}, { signal: visit.signal }))).toBe("left");
  });

  test("leaves the order, to come back to with the same key", async () => {
    const options = { idempotencyKey: crypto.randomUUID() };
    const client = createClient({ url: server.customers });
    const visit = new AbortController();
    const first = rejection(client.order({}, { ...options, signal: visit.signal }));
    const { order_id } = await start(server);
    visit.abort("left");
    expect(await first).toBe("left");
    await applyVerb(server, "finish", order_id);
    expect(await client.order({}, options)).toMatchObject({ order_id, status: "ready" });
  });
});

const guest = fileURLToPath(import.meta.resolve("./client/customer.ts"));
const node = Bun.which("node");

describe.each(node ? ["bun", "node"] : ["bun"])("under %s a customer's process", (runtime) => {
  const folder = mkdtempSync(join(tmpdir(), "longpour-client-"));
  let command: readonly string[] = [process.execPath, guest];

  beforeAll(async () => {
    if (runtime === "node" && node) command = [node, ...(await programForNode(node, folder))];
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test("gets its order through faults, and ends by itself", async () => {
    const half = say(HELD_SO_FAR + lastChunk("{"));
    await using network = await BadNetwork.open([server.customers], reset, answer(503), half, halfAnAnswer(40));
    const customer = run(network.url);
    await brew(server, "wait=30");
    const said = await customer.said("ready");
    expect(said.filter((word) => word === "retry")).toHaveLength(4);
    expect(network.keys.size).toBe(1);
    expect(await customer.end()).toBe(0);
  });

  test("that is refused ends by itself", async () => {
    await using network = await BadNetwork.open([], answer(404, JSON_TYPE, '{"status":404}'));
    const customer = run(network.url);
    await customer.said("refused 404");
    expect(await customer.end()).toBe(0);
  });

  test.each([
    ["while nothing has come", silence, "asking"],
    ["in the middle of an answer", begin(HELD_SO_FAR), "answered"],
    ["between two tries", answer(503, { "Retry-After": "3600" }), "retry"],
  ])("that aborts %s ends by itself", async (_stage, act, stage) => {
    await using network = await BadNetwork.open([], act);
    const customer = run(network.url);
    await customer.said(stage);
    await network.untilSeen(1);
    customer.abort();
    await customer.said("left");
    expect(await customer.end()).toBe(0);
  });

  test("that was aborted before it began ends by itself", async () => {
    const customer = run(server.customers, "aborted");
    expect(await customer.said("left")).toEqual(["left"]);
    expect(await customer.end()).toBe(0);
  });

  function run(...args: readonly string[]) {
    const child = Bun.spawn([...command, ...args], { stdout: "pipe", stderr: "inherit" });
    let output = "";
    void (async () => {
      for await (const chunk of child.stdout) output += new TextDecoder().decode(chunk);
    })();
    const words = () => output.split("\n").slice(0, -1);
    return {
      abort: () => child.kill("SIGUSR2"),
      /** Resolves to all that it said, once it has said `word`. */
      said: async (word: string) => {
        await until(() => words().includes(word), `${runtime} says ${word}`, 20_000);
        return words();
      },
      /** Resolves to its exit code; nothing ends it. */
      end: async () => {
        await until(() => child.exitCode !== null, `${runtime} ends by itself`).finally(() => child.kill("SIGKILL"));
        return child.exitCode;
      },
    };
  }
});

/** The guest as Node takes it: the file itself where Node strips types, else a bundle. */
async function programForNode(program: string, folder: string): Promise<string[]> {
  const version = await Bun.$`${program} --version`.text();
  if (Number(/^v(\d+)/.exec(version)?.[1]) >= 22) return ["--experimental-strip-types", guest];
  const { outputs } = await Bun.build({ entrypoints: [guest], target: "node", outdir: folder });
  return outputs.map(({ path }) => path);
}

test("the package's client is one file for browsers: it imports nothing and asks for no runtime", async () => {
  const resolved = Bun.resolveSync("longpour/client", import.meta.dir);
  const { success, outputs } = await Bun.build({ entrypoints: [resolved], target: "browser" });
  const text = await outputs[0]?.text();
  expect({ success, files: outputs.length }).toEqual({ success: true, files: 1 });
  expect(text).not.toMatch(/\bimport\b|\brequire\(|\bprocess\.|\bBuffer\b|\bBun\.|\bnode:/);
});
