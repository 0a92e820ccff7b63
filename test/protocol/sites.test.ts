/**
 * Pages of other sites, by what browsers say of them: what they may not do on either port, and who is let in. See also
 * test/web/sites.test.ts.
 */
import { afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { ask, exchange, expectOrder, expectStatus, lookAtQueue, place, type Answer } from "../support/http.ts";
import { TestNginx } from "../support/nginx.ts";
import { startServer, type Server } from "../support/server.ts";
import { expectRefusal } from "../support/shop.ts";

setDefaultTimeout(60_000);

const FRIEND = "https://coffee.test";
const STRANGER = "https://evil.test";

type Headers = Readonly<Record<string, string>>;

/** The same as in a browser's address bar, whatever Host a proxy made of it. */
const OWN_PAGE = { "Sec-Fetch-Site": "same-origin" };
const VISITS: readonly Headers[] = [OWN_PAGE, { "Sec-Fetch-Site": "none" }, {}];

/** What browsers say of pages of other sites; another port of this machine is one. */
const STRANGERS: readonly Headers[] = [
  { "Sec-Fetch-Site": "cross-site", Origin: STRANGER },
  { "Sec-Fetch-Site": "cross-site" },
  { "Sec-Fetch-Site": "same-site", Origin: "http://127.0.0.1:3000" },
  { "Sec-Fetch-Site": "same-site" },
  { "Sec-Fetch-Site": "same-origin, cross-site" },
  { "Sec-Fetch-Site": "" },
  { Origin: STRANGER },
  { Origin: "null" },
  { Origin: "http://127.0.0.1:3000" },
  { Origin: "http://127.0.0.1" },
];

describe("the baristas' port without a token", () => {
  let server: Server;

  beforeAll(async () => {
    server = await startServer();
    await place(server);
  });

  // No barista could take it: what was refused did nothing.
  afterEach(async () => {
    expect(await lookAtQueue(server)).toMatchObject({ depth: 1, brewing: 0 });
  });

  test("answers this machine's programs and its own pages", async () => {
    const { host } = new URL(server.baristas);
    const own = [...VISITS, { Origin: `http://${host}` }, { ...OWN_PAGE, Origin: `http://${host}` }];
    for (const headers of own) expectStatus(await ask(`${server.baristas}/queue`, { headers }), 200);
  });

  test.each(STRANGERS)("refuses a page of another site: %o", async (headers) => {
    const asking = [
      ["GET", "/start/"],
      ["GET", "/order/"],
      ["GET", "/events"],
      ["PATCH", "/shop"],
      ["DELETE", "/coffees/latte"],
      ["GET", "/nowhere"],
    ] as const;
    for (const [method, path] of asking) {
      expectRefusal(await ask(server.baristas + path, { method, headers }), 403, "cross_site");
    }
    // A link may lead to them, and they show nothing of the shop.
    for (const path of ["/", "/board", "/swagger", "/livez"]) {
      expectStatus(await ask(server.baristas + path, { headers }), 200);
    }
  });

  const askAs = (host: string, path = "/queue", headers = "") =>
    exchange(server.baristas, `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${headers}\r\n`);

  test.each([
    "0.0.0.0:8001",
    "0.0.0.0",
    "[::ffff:127.0.0.1]:8001",
    "[::ffff:7f00:1]",
    "[::]",
    "coffee.test",
    "127.0.0.1.coffee.test",
    "localhost.coffee.test:8001",
    "shop.localhost",
    "localhost.",
    "app",
    "10.0.0.7:8001",
    "128.0.0.1",
    "2130706433",
    "127.1",
  ])("answers nothing to who asks by the name %s, which other sites can have too", async (host) => {
    const got = await askAs(host);
    expect(got).toStartWith("HTTP/1.1 403 ");
    expect(got).toContain("urn:longpour:problem:cross_site");
    expect(got).toContain("STAFF_TOKEN");
    expect(await askAs(host, "/start/", "Sec-Fetch-Site: same-origin\r\n")).toStartWith("HTTP/1.1 403 ");
    expect(await askAs(host, "/livez")).toStartWith("HTTP/1.1 200 ");
  });

  test.each(["localhost:8001", "LOCALHOST", "127.0.0.1:8001", "127.9.9.9", "[::1]:8001", "[::1]"])(
    "answers to the name %s",
    async (host) => {
      expect(await askAs(host)).toStartWith("HTTP/1.1 200 ");
    },
  );
});

describe("the customers' port", () => {
  /** A write that a page needs no leave for, as a browser's no-cors POST: plain text, or no body at all. */
  const write = (server: Pick<Server, "customers">, headers: Headers): Promise<Answer> =>
    ask(`${server.customers}/order/`, { method: "POST", headers: { Prefer: "respond-async", ...headers } });

  test.each(STRANGERS)("takes no order of a page of another site, and changes none: %o", async (headers) => {
    const server = await startServer();
    const { order_id } = await place(server);
    expectRefusal(await write(server, headers), 403, "cross_site");
    for (const [method, path] of [
      ["PATCH", `/order/${order_id}`],
      ["PUT", `/order/${order_id}`],
      ["POST", "/reservation"],
      ["POST", "/nowhere"],
    ] as const) {
      expectRefusal(await ask(server.customers + path, { method, headers }), 403, "cross_site");
    }
    expect(await lookAtQueue(server)).toMatchObject({ depth: 1 });
    // To look is no secret: who knows the id may.
    expectOrder(await ask(`${server.customers}/order/${order_id}`, { headers }), { status: "queued" });
    await server.stop();
  });

  test("takes orders of programs and of its own page, at whatever address customers reach it", async () => {
    const server = await startServer({ PUBLIC_URL: "https://shop.test" });
    const { host } = new URL(server.customers);
    const own = [
      ...VISITS,
      { Origin: `http://${host}` },
      // Where TLS ends at a proxy that passes Host on.
      { Origin: `https://${host}` },
      // A proxy that does not, before browsers that say no Sec-Fetch-Site: PUBLIC_URL says whose page it is.
      { Origin: "https://shop.test" },
      { ...OWN_PAGE, Origin: "https://other-name.test" },
    ];
    for (const headers of own) expectOrder(await write(server, headers), {}, 202);
    expectRefusal(await write(server, { Origin: "http://shop.test" }), 403, "cross_site");
    await server.stop();
  });

  test("takes them through a proxy, too", async () => {
    const server = await startServer({ TRUSTED_PROXIES: "127.0.0.1" });
    await using nginx = await TestNginx.start([server]);
    for (const headers of [OWN_PAGE, { Origin: nginx.customers }]) expectOrder(await write(nginx, headers), {}, 202);
    for (const headers of STRANGERS) expectRefusal(await write(nginx, headers), 403, "cross_site");
    await server.stop();
  });

  test("shares what it answers with the origins that ALLOWED_ORIGINS names, and with no other", async () => {
    const server = await startServer({ ALLOWED_ORIGINS: `http://localhost:5173,${FRIEND}` });
    for (const origin of [FRIEND, "http://localhost:5173"]) {
      const site = { "Sec-Fetch-Site": "cross-site", Origin: origin };
      const placed = await write(server, site);
      const { order_id } = expectOrder(placed, {}, 202);
      const missing = await ask(`${server.customers}/nowhere`, { headers: site });
      const refused = await ask(`${server.customers}/order/abc`, { headers: site });
      const streamed = await ask(`${server.customers}/order/${order_id}/events`, { method: "HEAD", headers: site });
      for (const { headers } of [placed, missing, refused, streamed]) {
        expect(headers["access-control-allow-origin"]).toBe(origin);
        expect(headers["access-control-expose-headers"]).toContain("RateLimit-Policy");
        expect(headers.vary).toContain("Origin");
      }
    }
    const stranger = { "Sec-Fetch-Site": "cross-site", Origin: STRANGER };
    expectRefusal(await write(server, stranger), 403, "cross_site");
    for (const headers of [stranger, {}]) {
      const seen = await ask(`${server.customers}/coffees`, { headers });
      expectStatus(seen, 200);
      expect(seen.headers["access-control-allow-origin"]).toBeUndefined();
      expect(seen.headers.vary).toContain("Origin");
    }
    await server.stop();
  });

  test("answers a browser's question before such a request, with what it may send", async () => {
    const server = await startServer({ ALLOWED_ORIGINS: FRIEND });
    const preflight = (origin: string, path = "/order/") =>
      ask(server.customers + path, {
        method: "OPTIONS",
        headers: {
          Origin: origin,
          "Access-Control-Request-Method": "POST",
          "Access-Control-Request-Headers": "content-type,idempotency-key,prefer",
        },
      });
    const answer = await preflight(FRIEND);
    expectStatus(answer, 204);
    expect(answer.headers["access-control-allow-origin"]).toBe(FRIEND);
    expect(answer.headers["access-control-allow-methods"]).toBe("GET, HEAD, POST, PUT, PATCH");
    expect(answer.headers["access-control-allow-headers"]).toBe(
      "Content-Type, Idempotency-Key, Last-Event-ID, Prefer, Traceparent",
    );
    expect(Number(answer.headers["access-control-max-age"])).toBeGreaterThan(0);
    expect(answer.headers.vary).toContain("Origin");
    for (const origin of [STRANGER, "null", `${FRIEND}.evil.test`, FRIEND.toUpperCase()]) {
      const refused = await preflight(origin);
      expect(refused.status).toBe(405);
      expect(refused.headers["access-control-allow-origin"]).toBeUndefined();
    }
    await server.stop();
  });

  test("shares nothing where ALLOWED_ORIGINS names none", async () => {
    const server = await startServer();
    const { headers } = await ask(`${server.customers}/coffees`, { headers: { Origin: FRIEND } });
    expect(Object.keys(headers).filter((name) => name.startsWith("access-control"))).toEqual([]);
    await server.stop();
  });
});
