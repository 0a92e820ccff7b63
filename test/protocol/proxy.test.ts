/** Behind nginx, as compose.yaml ships it, but for how soon it cuts silent connections. The tests here run at the same time. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { request, type IncomingMessage } from "node:http";
import { ask, brew, expectOrder, expectProblem, order, place, start, tell, untilHeld } from "../support/http.ts";
import { TestNginx } from "../support/nginx.ts";
import { startServer, type TestServer } from "../support/server.ts";

setDefaultTimeout(120_000);

const HELD_MS = 20_000;
const ALIVE = { TRUSTED_PROXIES: "127.0.0.1", HEARTBEAT_SECONDS: "2" };
const SILENT = { TRUSTED_PROXIES: "127.0.0.1", HEARTBEAT_SECONDS: "60" };

const proxies: TestNginx[] = [];

/** A server, and the nginx before it, which cuts what is silent for 5 s. */
async function startBehindNginx(
  environment: Record<string, string>,
): Promise<{ server: TestServer; nginx: TestNginx }> {
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

test.concurrent("the same holds for whoever comes back to their order", async () => {
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
  expectOrder(await tell(silent.nginx, "finish", order_id), { status: "ready" });
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
