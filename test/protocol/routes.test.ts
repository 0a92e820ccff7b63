/** What a path answers to whom: slashes, methods, hosts, and what no HTTP library would send. */
import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  ask,
  exchange,
  expectOrder,
  expectProblem,
  lookAtQueue,
  openWire,
  place,
  start,
  applyVerb,
} from "../support/http.ts";
import { startServer, type Server } from "../support/server.ts";

const NO_ORDER = "01938a5e-7c1b-7f3e-9a52-6f1d2c3b4a59";

setDefaultTimeout(60_000);

let server: Server;

beforeAll(async () => {
  server = await startServer();
});

test("an unknown path is no route, on both ports", async () => {
  for (const path of [
    "/nowhere",
    "/ordering",
    "/order/a/b",
    "/order%2f",
    "/order//",
    "/order//events",
    "/Order/",
    "/swagger/nothing",
    "/swagger/..%2fpackage.json",
    "/.env",
  ]) {
    for (const base of [server.customers, server.baristas]) expectProblem(await ask(base + path), 404);
  }
});

test("what is the baristas' is no route for customers", async () => {
  for (const path of [
    "/start/",
    "/finish/",
    "/progress/",
    "/dead",
    "/retry/",
    "/events",
    "/metrics",
    "/code",
    "/coffees/latte",
    "/board",
  ]) {
    for (const method of ["GET", "POST", "PUT", "DELETE"])
      expectProblem(await ask(server.customers + path, { method }), 404);
  }
  expectProblem(await ask(`${server.customers}/order/`), 405);
  expectProblem(await ask(`${server.baristas}/reservation`, { method: "POST" }), 404);
});

test.each([
  ["customers", "GET", "/order/", "POST"],
  ["customers", "DELETE", `/order/${NO_ORDER}`, "GET, HEAD, PATCH, PUT"],
  ["customers", "POST", `/order/${NO_ORDER}`, "GET, HEAD, PATCH, PUT"],
  ["customers", "GET", "/reservation", "POST"],
  ["customers", "POST", `/order/${NO_ORDER}/events`, "GET, HEAD"],
  ["customers", "POST", "/coffees", "GET, HEAD"],
  ["customers", "POST", "/queue", "GET, HEAD"],
  ["customers", "GET", "/queue/work/", "POST"],
  ["customers", "PATCH", "/shop", "GET, HEAD"],
  ["customers", "POST", "/livez", "GET, HEAD"],
  ["customers", "DELETE", "/swagger/json", "GET, HEAD"],
  ["baristas", "GET", "/finish/", "POST"],
  ["baristas", "PUT", "/release", "POST"],
  ["baristas", "GET", "/extend/", "POST"],
  ["baristas", "GET", "/cancel/", "POST"],
  ["baristas", "GET", "/progress/", "POST"],
  ["baristas", "GET", "/retry/", "POST"],
  ["baristas", "POST", "/dead", "GET, HEAD"],
  ["baristas", "POST", "/order/", "GET, HEAD"],
  ["baristas", "PATCH", `/order/${NO_ORDER}`, "GET, HEAD"],
  ["baristas", "PUT", `/order/${NO_ORDER}`, "GET, HEAD"],
  ["baristas", "POST", "/queue", "GET, HEAD"],
  ["baristas", "POST", "/events", "GET, HEAD"],
  ["baristas", "PUT", "/shop", "GET, HEAD, PATCH"],
  ["baristas", "POST", "/coffees", "GET, HEAD"],
  ["baristas", "GET", "/coffees/latte", "DELETE, PUT"],
  ["baristas", "POST", "/code", "GET, HEAD"],
  ["baristas", "OPTIONS", "/readyz", "GET, HEAD"],
] as const)("%s: %s %s is answered with the methods that the path takes", async (port, method, path, allow) => {
  for (const form of [path, path.endsWith("/") ? path.slice(0, -1) : `${path}/`]) {
    const answer = await ask(server[port] + form, { method });
    expectProblem(answer, 405);
    expect(answer.headers.allow).toBe(allow);
  }
});

test("HEAD /start/ takes no order from the queue: no barista would get to know which", async () => {
  const { order_id } = await place(server);
  await ask(`${server.baristas}/start/`, { method: "HEAD" });
  const seen = await ask(`${server.customers}/order/${order_id}`);
  await applyVerb(server, "cancel", order_id);
  expectOrder(seen, { status: "queued", attempts: 0 });
});

describe("every path answers the same with and without its last slash, and without a redirect", () => {
  test.each([
    ["customers", "GET", `/order/${NO_ORDER}`, 404],
    ["customers", "PUT", `/order/${NO_ORDER}`, 404],
    ["customers", "POST", "/reservation", 422],
    ["customers", "GET", `/order/${NO_ORDER}/events`, 404],
    ["customers", "GET", "/coffees", 200],
    ["customers", "GET", "/shop", 200],
    ["customers", "GET", "/livez", 200],
    ["customers", "GET", "/readyz", 200],
    ["customers", "GET", "/swagger", 200],
    ["customers", "GET", "/swagger/json", 200],
    ["customers", "GET", "/swagger/swagger-ui.css", 200],
    ["baristas", "GET", "/start", 404],
    ["baristas", "GET", "/order", 200],
    ["baristas", "GET", `/order/${NO_ORDER}`, 404],
    ["baristas", "GET", "/queue", 200],
    ["baristas", "HEAD", "/events", 200],
    ["baristas", "GET", "/shop", 200],
    ["baristas", "PATCH", "/shop", 422],
    ["baristas", "GET", "/coffees", 200],
    ["baristas", "PUT", "/coffees/chai", 422],
    ["baristas", "DELETE", "/coffees/chai", 404],
    ["baristas", "GET", "/board", 200],
    ["baristas", "GET", "/livez", 200],
    ["baristas", "GET", "/readyz", 200],
    ["baristas", "GET", "/swagger", 200],
    ["baristas", "GET", "/swagger/json", 200],
  ] as const)("%s: %s %s", async (port, method, path, status) => {
    const [bare, slashed] = [
      await ask(server[port] + path, { method }),
      await ask(`${server[port]}${path}/`, { method }),
    ];
    expect([bare.status, slashed.status]).toEqual([status, status]);
    expect(slashed.text).toBe(bare.text);
    expect(slashed.headers["content-type"]).toBe(bare.headers["content-type"]);
  });

  test("customers: POST /order, PATCH /order/:id; baristas: the verbs", async () => {
    for (const slash of ["", "/"]) {
      const headers = { Prefer: "respond-async" };
      const first = expectOrder(
        await ask(`${server.customers}/order${slash}`, { method: "POST", headers }),
        { status: "queued" },
        202,
      );
      const second = expectOrder(
        await ask(`${server.customers}/order${slash}`, { method: "POST", headers }),
        { status: "queued" },
        202,
      );
      const third = expectOrder(
        await ask(`${server.customers}/order${slash}`, { method: "POST", headers }),
        { status: "queued" },
        202,
      );
      const cancelling = { method: "PATCH", json: { status: "cancelled" } };
      expectOrder(await ask(`${server.customers}/order/${first.order_id}${slash}`, cancelling), {
        status: "cancelled",
      });

      expectOrder(await ask(`${server.baristas}/start${slash}`), { order_id: second.order_id, status: "brewing" });
      const verb = (name: string, id: string) =>
        ask(`${server.baristas}/${name}${slash}?order_id=${id}`, { method: "POST" });
      expectOrder(await verb("extend", second.order_id), { status: "brewing" });
      expectOrder(await verb("release", second.order_id), { status: "queued" });
      await start(server);
      expectOrder(await verb("finish", second.order_id), { status: "ready" });
      expectOrder(await verb("cancel", third.order_id), { status: "cancelled", reason: "barista" });
    }
  });
});

describe("what no HTTP library would send", () => {
  const ports = ["customers", "baristas"] as const;

  test.each(ports)("%s: a host of three letters, as in a compose file, is served", async (port) => {
    for (const host of ["app", "a", "app:8000", "[::1]", "LOCALHOST"]) {
      expect(await exchange(server[port], `GET /livez HTTP/1.1\r\nHost: ${host}\r\n\r\n`)).toStartWith("HTTP/1.1 200 ");
    }
  });

  test("such a host hides no part of the path", async () => {
    const seen = await exchange(server.customers, `GET /order/${NO_ORDER} HTTP/1.1\r\nHost: app\r\n\r\n`);
    expect(seen).toStartWith("HTTP/1.1 404 ");
    expect(seen).toContain("order_unknown");
    // Without a token the baristas' port answers to this machine's names only.
    const guarded = await startServer({ STAFF_TOKEN: "hush-hush-42", BARISTA_HOST: "127.0.0.1" });
    const head = "Host: app\r\nAuthorization: Bearer hush-hush-42";
    const started = await exchange(guarded.baristas, `GET /start/ HTTP/1.1\r\n${head}\r\n\r\n`);
    expect(started).toStartWith("HTTP/1.1 404 ");
    expect(started).toContain("queue_empty");
    await guarded.stop();
  });

  test.each(ports)("%s: HTTP/1.0 without a host is served to health checks, and to no others", async (port) => {
    expect(await exchange(server[port], "GET /livez HTTP/1.0\r\n\r\n")).toStartWith("HTTP/1.1 200 ");
    expect(await exchange(server[port], "GET /nowhere HTTP/1.0\r\n\r\n")).toStartWith("HTTP/1.1 400 ");
  });

  test.each(ports)("%s: headers or a path over the limit are refused, and the server goes on", async (port) => {
    const long = "k".repeat(20_000);
    for (const bytes of [
      `GET /livez HTTP/1.1\r\nHost: app\r\nX-Long: ${long}\r\n\r\n`,
      `GET /livez?${long} HTTP/1.1\r\nHost: app\r\n\r\n`,
    ]) {
      expect(await exchange(server[port], bytes, () => false)).toStartWith("HTTP/1.1 431 ");
    }
    expect((await ask(`${server[port]}/livez`)).status).toBe(200);
  });

  test.each(ports)(
    "%s: what is not HTTP gets a bare status, as docs/protocol.md lists, and what is gets a problem",
    async (port) => {
      const bare = [
        ["GET /livez HTTP/1.1\r\n\r\n", 400],
        ["GET livez HTTP/1.1\r\nHost: app\r\n\r\n", 400],
        ["GET * HTTP/1.1\r\nHost: app\r\n\r\n", 400],
        ["GET ftp://app/livez HTTP/1.1\r\nHost: app\r\n\r\n", 400],
        ["GET  /livez HTTP/1.1\r\nHost: app\r\n\r\n", 400],
        ["POST /order/ HTTP/1.1\r\nHost: app\r\nContent-Length: two\r\n\r\n", 400],
        ["POST /order/ HTTP/1.1\r\nHost: app\r\nContent-Length: 200000000\r\n\r\n", 413],
        [`GET /livez HTTP/1.1\r\nHost: app\r\nX: ${"k".repeat(20_000)}\r\n\r\n`, 431],
        ["GET /livez HTTP/2.0\r\nHost: app\r\n\r\n", 505],
        ["GET /li vez HTTP/1.1\r\nHost: app\r\n\r\n", 505],
      ] as const;
      for (const [bytes, status] of bare) {
        const got = await openWire(server[port], bytes).closed;
        expect(got).toStartWith(`HTTP/1.1 ${status} `);
        expect(got).toEndWith("\r\n\r\n");
      }
      expect(await openWire(server[port], "BREW /livez HTTP/1.1\r\nHost: app\r\n\r\n").closed).toBe("");
      const refused = [
        "GET /nowhere HTTP/1.1\r\nHost: app\r\n",
        "GET /livez# HTTP/1.1\r\nHost: app\r\n",
        "GET /livez HTTP/1.1\r\nHost:\r\n",
        "TRACE /livez HTTP/1.1\r\nHost: app\r\n",
        "CONNECT app:80 HTTP/1.1\r\nHost: app\r\n",
        "PROPFIND /livez HTTP/1.1\r\nHost: app\r\n",
        "GET /order/%zz HTTP/1.1\r\nHost: app\r\n",
        "GET /order/%00 HTTP/1.1\r\nHost: app\r\n",
      ];
      for (const head of refused) {
        const got = await openWire(server[port], `${head}Connection: close\r\n\r\n`).closed;
        expect(got).toMatch(/^HTTP\/1\.1 4\d\d /);
        expect(got).toContain("Content-Type: application/problem+json\r\n");
      }
    },
  );

  test("contradicting or broken lengths are refused, and queue nothing", async () => {
    const head = "POST /order/ HTTP/1.1\r\nHost: app\r\nPrefer: respond-async\r\n";
    for (const rest of [
      "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
      "Content-Length: -2\r\n\r\n",
      "Content-Length: two\r\n\r\n{}",
      "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    ]) {
      expect(await exchange(server.customers, head + rest, () => false)).toStartWith("HTTP/1.1 400 ");
    }
    expect(await lookAtQueue(server)).toMatchObject({ depth: 0, brewing: 0 });
  });

  test("a customer who hangs up in the middle of the body orders nothing, and is no error of the server", async () => {
    const wire = openWire(
      server.customers,
      "POST /order/ HTTP/1.1\r\nHost: app\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{",
    );
    await exchange(server.customers, "GET /livez HTTP/1.1\r\nHost: app\r\n\r\n");
    wire.socket.end();
    wire.socket.destroy();
    await wire.closed;
    // Answered after the server has seen to the one before.
    expect(await lookAtQueue(server)).toMatchObject({ depth: 0, brewing: 0, held: 0 });
    expect(server.log().filter(({ level }) => level === "error")).toEqual([]);
  });
});
