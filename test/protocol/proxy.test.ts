/**
 * Behind nginx, as compose.yaml ships it, but for how soon it cuts silent connections. The tests here run at the same
 * time.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { request, type IncomingMessage } from "node:http";
import { ask, brew, expectOrder, expectProblem, order, place, start, applyVerb, untilHeld } from "../support/http.ts";
import { TestNginx } from "../support/nginx.ts";
import { startServer, type Server } from "../support/server.ts";

setDefaultTimeout(120_000);

const HELD_MS = 20_000;
const ALIVE = { TRUSTED_PROXIES: "127.0.0.1", HEARTBEAT_SECONDS: "2" };
const SILENT = { TRUSTED_PROXIES: "127.0.0.1", HEARTBEAT_SECONDS: "60" };

const proxies: TestNginx[] = [];

/** A server, and the nginx before it, which cuts what is silent for 5 s. */
async function startBehindNginx(environment: Record<string, string>): Promise<{ server: Server; nginx: TestNginx }> {
  const server = await startServer(environment);
  const nginx = await TestNginx.start([server], { readTimeout: "5s" });
  proxies.push(nginx);
  return { server, nginx };
}

type Pair = Awaited<ReturnType<typeof startBehindNginx>>;
let alive: Pair;
let revisited: Pair;
let silent: Pair;
let left: Pair;
let limited: Pair;

beforeAll(async () => {
  [alive, revisited, silent, left, limited] = await Promise.all([
    startBehindNginx(ALIVE),
    startBehindNginx(ALIVE),
    startBehindNginx(SILENT),
    startBehindNginx(ALIVE),
    startBehindNginx({ ...SILENT, LIMIT_CAPACITY: "1", LIMIT_REFILL_PER_SECOND: "0.001" }),
  ]);
});

afterAll(async () => {
  await Promise.all(proxies.map((nginx) => nginx[Symbol.asyncDispose]()));
});

test.concurrent("an order held for 20 s behind a proxy that cuts after 5 s gets its 200, and its body parses", async () => {
  const waiting = order(alive.nginx, { note: "far away" });
  await untilHeld(alive.server, 1);
  await Bun.sleep(HELD_MS);
  const { order_id } = await brew(alive.nginx);
  const answer = await waiting;
  expectOrder(answer, { order_id, note: "far away", status: "ready" });
  expect(answer.text).toMatch(/^ {2,}\{/);
});

test.concurrent("the same holds for who comes back to their order", async () => {
  const { order_id } = await place(revisited.nginx);
  const waiting = ask(`${revisited.nginx.customers}/order/${order_id}?wait`);
  await untilHeld(revisited.server, 1);
  await Bun.sleep(HELD_MS);
  await brew(revisited.nginx);
  const answer = await waiting;
  expectOrder(answer, { order_id, status: "ready" });
  expect(answer.text).toMatch(/^ {2,}\{/);
});

test.concurrent("without signs of life the proxy cuts it, and the order can be waited for again", async () => {
  const waiting = order(silent.nginx, { note: "cut off" }, { headers: { "Idempotency-Key": "mine" } });
  await untilHeld(silent.server, 1);
  const { order_id } = await start(silent.nginx);
  expect((await waiting).status).toBe(504);
  await untilHeld(silent.server, 0);
  const back = order(silent.nginx, { note: "cut off" }, { headers: { "Idempotency-Key": "mine" } });
  await untilHeld(silent.server, 1);
  expectOrder(await applyVerb(silent.nginx, "finish", order_id), { status: "ready" });
  expectOrder(await back, { order_id, note: "cut off", status: "ready" });
});

test.concurrent("who hangs up after the signs of life began is held no longer, and the order goes on", async () => {
  const { order_id } = await place(left.server);
  const paths = [
    ["POST", `${left.nginx.customers}/order/`],
    ["GET", `${left.nginx.customers}/order/${order_id}?wait`],
    ["POST", `${left.server.customers}/order/`],
    ["GET", `${left.server.customers}/order/${order_id}?wait`],
  ] as const;
  const begun = await Promise.all(paths.map(([method, url]) => beginAnswer(method, url)));
  await untilHeld(left.server, paths.length);
  for (const answer of begun) answer.destroy();
  await untilHeld(left.server, 0);
  const made = [await brew(left.server), await brew(left.server), await brew(left.server)];
  expect(made.map((one) => one.order_id)).toContain(order_id);
});

test.concurrent("what a client claims about its address is not believed through the proxy, what the proxy says is", async () => {
  const from = (localAddress: string, claimed: string) =>
    order(limited.nginx, undefined, {
      localAddress,
      headers: {
        Prefer: "respond-async",
        "X-Forwarded-For": claimed,
        Forwarded: `for=${claimed}`,
      },
    });
  expectOrder(await from("127.0.0.2", "203.0.113.1"), {}, 202);
  expectProblem(await from("127.0.0.2", "203.0.113.2"), 429);
  expectOrder(await from("127.0.0.3", "203.0.113.1"), {}, 202);
});

const AN_ORDER = "/order/01938a5e-7c1b-7f3e-9a52-6f1d2c3b4a59?wait";

test.concurrent.each([
  "http://127.0.0.2:1/order/01938a5e-7c1b-7f3e-9a52-6f1d2c3b4a59?wait",
  "//127.0.0.2:1/order/01938a5e-7c1b-7f3e-9a52-6f1d2c3b4a59?wait",
  "/livez",
  "/order/../livez?wait",
  `${AN_ORDER}&and=more`,
  `${AN_ORDER}=`,
  AN_ORDER.replace("?wait", ""),
])("nginx follows a server to no other place than an order that is waited for: not to %s", async (location) => {
  await using sending = await startSending(location);
  const headers = { "Content-Type": "application/json" };
  const answer = await order(sending.nginx, undefined, { headers, body: `{"note":"sent about"}` });
  expect([answer.status, answer.headers.location]).toEqual([303, location]);
  expect(sending.seen).toEqual(["POST /order/ 21 bytes"]);
});

test.concurrent("nginx follows servers that all send on for eight times, without the body, and then leaves it to the customer", async () => {
  await using sending = await startSending(AN_ORDER);
  const headers = { "Content-Type": "application/json" };
  const answer = await order(sending.nginx, undefined, { headers, body: `{"note":"sent about"}` });
  expect([answer.status, answer.headers.location]).toEqual([303, AN_ORDER]);
  expect(sending.seen).toEqual([
    "POST /order/ 21 bytes",
    ...Array.from({ length: 8 }, () => `GET ${AN_ORDER} 0 bytes`),
  ]);
});

/**
 * A server that sends every order on to `location`, and so all who follow; no server of ours misbehaves so. And an
 * nginx before it.
 */
async function startSending(location: string): Promise<AsyncDisposable & { nginx: TestNginx; seen: string[] }> {
  const seen: string[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (received) => {
      // Before the order, nginx is asked whether it answers.
      if (seen.length === 0 && received.method === "GET") return new Response("ok");
      const { pathname, search } = new URL(received.url);
      seen.push(`${received.method} ${pathname}${search} ${(await received.bytes()).length} bytes`);
      return new Response(null, { status: 303, headers: { Location: location } });
    },
  });
  const base = `http://127.0.0.1:${server.port}`;
  const nginx = await TestNginx.start([{ customers: base, baristas: base }]);
  const stop = async (): Promise<void> => {
    await nginx[Symbol.asyncDispose]();
    await server.stop(true);
  };
  return { nginx, seen, [Symbol.asyncDispose]: stop };
}

/** Asks, and resolves once the first of the answer's body is there. */
function beginAnswer(method: string, url: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, agent: false }, (answer) => {
      answer.once("data", () => resolve(answer));
      // It is cut on purpose.
      answer.on("error", () => {});
    });
    sent.on("error", reject);
    sent.end();
  });
}
