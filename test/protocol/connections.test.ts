/**
 * Which connections live long: those of held requests, and no others. The tests here run at the same time, for each
 * takes longer than the server's idle timeout (10 s).
 */
import { beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import {
  ask,
  expectOrder,
  expectProblem,
  openWire,
  order,
  place,
  start,
  applyVerb,
  untilHeld,
} from "../support/http.ts";
import { TestRedis } from "../support/redis.ts";
import { startServer, type Server } from "../support/server.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(120_000);

const HELD_MS = 62_000;

let plain: Server;
let beating: Server;
let quiet: Server;

beforeAll(async () => {
  // The first never begins an answer before its time: what holds there is the connection alone.
  plain = await startServer({ HEARTBEAT_SECONDS: "3600" });
  beating = await startServer({ HEARTBEAT_SECONDS: "25" });
  quiet = await startServer();
});

test.concurrent("a request is held for 62 s in silence, and gets its 200", async () => {
  const waiting = order(plain, { item: "latte" });
  await untilHeld(plain, 1);
  await Bun.sleep(HELD_MS);
  const { order_id } = await start(plain);
  expectOrder(await applyVerb(plain, "finish", order_id), { status: "ready" });
  expectOrder(await waiting, { order_id, item: "latte", status: "ready" });
});

test.concurrent("a request held for 62 s with signs of life gets its 200, and its body parses", async () => {
  const waiting = order(beating, { item: "mocha" });
  await untilHeld(beating, 1);
  await Bun.sleep(HELD_MS);
  const { order_id } = await start(beating);
  expectOrder(await applyVerb(beating, "finish", order_id), { status: "ready" });
  const answer = await waiting;
  expect(answer.headers["x-accel-buffering"]).toBe("no");
  expect(answer.text).toMatch(/^ {2,}\{/);
  expectOrder(answer, { order_id, item: "mocha", status: "ready" });
});

const ID = "01938a5e-7c1b-7f3e-9a52-000000000527";
const ASKED: Readonly<Record<"customers" | "baristas", readonly string[]>> = {
  customers: [
    "POST /order/",
    `GET /order/${ID}`,
    `PATCH /order/${ID}`,
    `PUT /order/${ID}`,
    "GET /coffees",
    "GET /shop",
  ],
  baristas: [
    "GET /start/",
    ...["finish", "release", "extend", "cancel"].map((verb) => `POST /${verb}/?order_id=${ID}`),
    `POST /finish/?order_id=${ID}&next=1`,
    "GET /order/",
    `GET /order/${ID}`,
    "GET /queue",
    "GET /damaged",
    "GET /shop",
    "GET /coffees",
    "GET /code",
    "DELETE /coffees/latte",
    "GET /events",
  ],
};

test.concurrent("a Redis that is silent for longer than the idle timeout: whatever is asked gets its 503", async () => {
  const redis = await TestRedis.start();
  const server = await startServer({ REDIS_URL: redis.url, OUTAGE_SECONDS: "14" });
  await place(server);
  process.kill(redis.pid, "SIGSTOP");
  try {
    const requests = (["customers", "baristas"] as const).flatMap((port) =>
      ASKED[port].map(async (line) => {
        const [method = "", path = ""] = line.split(" ");
        const json = method === "PATCH" ? { status: "cancelled" } : undefined;
        expect(expectProblem(await ask(`${server[port]}${path}`, { method, json }), 503).type).toBe(
          "urn:longpour:problem:redis_away",
        );
      }),
    );
    await Promise.all(requests);
  } finally {
    process.kill(redis.pid, "SIGCONT");
    await server.stop();
    await redis.stop();
  }
});

test.concurrent("a barista is held for longer than the idle timeout, and gets the order", async () => {
  const waiting = start(quiet, "wait=60&barista=Grace");
  await Bun.sleep(15_000);
  const { order_id } = await place(quiet);
  expect(await waiting).toMatchObject({ order_id, barista: "Grace" });
});

test.concurrent.each([
  ["that sends nothing", ""],
  ["kept alive after an answer", "GET /livez HTTP/1.1\r\nHost: app\r\n\r\n"],
  ["that stops in the middle of the headers", "POST /order/ HTTP/1.1\r\nHost: app\r\nX-Slow: "],
  ["that stops in the middle of the body", "POST /order/ HTTP/1.1\r\nHost: app\r\nContent-Length: 20\r\n\r\n{"],
  ["of a barista, that sends nothing", null],
])("a connection %s is closed by the server", async (_what, bytes) => {
  const wire = openWire(bytes === null ? plain.baristas : plain.customers, bytes ?? "");
  const closedFirst = await Promise.race([wire.closed.then(() => true), Bun.sleep(HELD_MS).then(() => false)]);
  wire.socket.destroy();
  expect(closedFirst).toBe(true);
});

test.concurrent("a body that comes a byte at a time is not waited for for ever", async () => {
  const body = `{"note":"${"x".repeat(80)}"}`;
  const wire = openWire(
    plain.customers,
    `POST /order/ HTTP/1.1\r\nHost: app\r\nPrefer: respond-async\r\nContent-Length: ${body.length}\r\n\r\n`,
  );
  let isClosed = false;
  void wire.closed.then(() => (isClosed = true));
  const begunAt = performance.now();
  for (const byte of body) {
    if (isClosed || performance.now() - begunAt > HELD_MS) break;
    wire.socket.write(byte);
    await Bun.sleep(1000);
  }
  wire.socket.destroy();
  expect(isClosed).toBe(true);
});

test.concurrent("a connection that was held is idle again after its answer", async () => {
  const wire = openWire(plain.baristas, "GET /start/?wait=1&queue=other HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await until(() => wire.got().includes("\r\n\r\n"), "an answer");
  const closed = await Promise.race([wire.closed.then(() => true), Bun.sleep(HELD_MS).then(() => false)]);
  wire.socket.destroy();
  expect(closed).toBe(true);
});
