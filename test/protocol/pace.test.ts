/**
 * How fast an address may ask, whatever for: every route of the customers' port is covered, and no other notices.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { ask, expectOrder, expectProblem, lookAtQueue, order, place, type Answer } from "../support/http.ts";
import { sharedRedis } from "../support/redis.ts";
import { countScripts } from "../support/script-count.ts";
import { startServer, type Server } from "../support/server.ts";

setDefaultTimeout(120_000);

const ID = "01938a5e-7c1b-7f3e-9a52-6f1d2c3b4a59";

/** Every route of the port, and what is none. */
const ROUTES = [
  "POST /order/",
  `GET /order/${ID}`,
  `GET /order/${ID}?wait=1`,
  `PATCH /order/${ID}`,
  `PUT /order/${ID}`,
  `GET /order/${ID}/events`,
  "POST /reservation",
  "GET /coffees",
  "GET /shop",
  "GET /",
  "GET /assets/nothing.js",
  "GET /swagger",
  "GET /swagger/json",
  "GET /swagger/swagger-ui-bundle.js",
  "GET /nowhere",
  "DELETE /order/",
  "OPTIONS /coffees",
];

function expectTooFast(answer: Answer): void {
  expect(expectProblem(answer, 429).type).toBe("urn:longpour:problem:too_many_requests");
  expect(Number(answer.headers["retry-after"])).toBeGreaterThanOrEqual(1);
}

describe("a server that takes one request a second, five at once", () => {
  let server: Server;
  beforeAll(async () => {
    server = await startServer({ REQUESTS_PER_SECOND: "1" });
  });
  afterAll(() => server.stop());

  /** Uses up what an address has. */
  async function useUp(localAddress: string): Promise<void> {
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => ask(`${server.customers}/nowhere`, { localAddress })),
    );
    expect(answers.filter(({ status }) => status === 404).length).toBeGreaterThanOrEqual(5);
    expect(answers.filter(({ status }) => status === 429).length).toBeGreaterThanOrEqual(10);
  }

  test.each(ROUTES)("%s is refused when the address asked for enough", async (route) => {
    const [method = "", path = ""] = route.split(" ");
    const localAddress = `127.0.1.${ROUTES.indexOf(route) + 1}`;
    await useUp(localAddress);
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => ask(server.customers + path, { method, localAddress })),
    );
    const refused = answers.filter(({ status }) => status === 429);
    // One a second is let in, and this takes no ten.
    expect(refused.length).toBeGreaterThan(0);
    refused.forEach(expectTooFast);
  });

  test("what is no request for this server is refused too, before it is looked at", async () => {
    const localAddress = "127.0.2.1";
    await useUp(localAddress);
    const headers = { Host: "a b" };
    const requests = Array.from({ length: 10 }, () => ask(`${server.customers}/`, { headers, localAddress }));
    expect((await Promise.all(requests)).map(({ status }) => status)).toContain(429);
  });

  test("probes are always answered", async () => {
    const localAddress = "127.0.2.2";
    await useUp(localAddress);
    for (const path of ["/livez", "/readyz", "/livez/", "/readyz?x"]) {
      const requests = Array.from({ length: 10 }, () => ask(server.customers + path, { localAddress }));
      for (const { status } of await Promise.all(requests)) expect(status).toBe(200);
    }
  });

  test("another address is let in all the while, and baristas are not limited", async () => {
    await useUp("127.0.2.3");
    expectOrder(await ask(`${server.customers}/order/${(await placeFrom("127.0.2.4")).order_id}`, from("127.0.2.4")));
    for (let looks = 0; looks < 30; looks++) await lookAtQueue(server);
  });

  test("who waited as long as the answer said is let in", async () => {
    const localAddress = "127.0.2.5";
    await useUp(localAddress);
    const refused = await ask(`${server.customers}/shop`, { localAddress });
    await Bun.sleep(Number(refused.headers["retry-after"] ?? 0) * 1000);
    expect((await ask(`${server.customers}/shop`, { localAddress })).status).toBe(200);
  });

  const from = (localAddress: string) => ({ localAddress });
  const placeFrom = (localAddress: string) => place(server, {}, { localAddress });
});

test("by default a group of 200 is let in at once, five times over", async () => {
  const server = await startServer();
  for (let round = 0; round < 5; round++) {
    const group = Array.from({ length: 200 }, () => ask(`${server.customers}/nowhere`));
    expect(new Set((await Promise.all(group)).map(({ status }) => status))).toEqual(new Set([404]));
  }
  await server.stop();
});

test("behind a trusted proxy each of its clients counts alone", async () => {
  const server = await startServer({ REQUESTS_PER_SECOND: "1", TRUSTED_PROXIES: "127.0.0.1" });
  const askFrom = (client: string) => ask(`${server.customers}/shop`, { headers: { "X-Forwarded-For": client } });
  const flood = await Promise.all(Array.from({ length: 20 }, () => askFrom("203.0.113.9")));
  expect(flood.filter(({ status }) => status === 429).length).toBeGreaterThanOrEqual(10);
  expect((await askFrom("198.51.100.1")).status).toBe(200);
  await server.stop();
});

test("a flood of what Redis is asked for is kept from it", async () => {
  const shop = `test-${crypto.randomUUID()}`;
  const server = await startServer({ SHOP: shop, REQUESTS_PER_SECOND: "2" });
  const headers = { "Idempotency-Key": crypto.randomUUID(), Prefer: "respond-async" };
  const { order_id } = expectOrder(await order(server, {}, { headers, localAddress: "127.0.3.1" }), {}, 202);
  using count = await countScripts(await sharedRedis(), shop);
  const floods = [
    () => ask(`${server.customers}/order/${order_id}`, { method: "PUT", localAddress: "127.0.3.2" }),
    () => order(server, {}, { headers, localAddress: "127.0.3.3" }),
    () => ask(`${server.customers}/shop`, { localAddress: "127.0.3.4" }),
  ];
  const begunAt = performance.now();
  for (const flood of floods) {
    const answers = await Promise.all(Array.from({ length: 200 }, flood));
    expect(answers.filter(({ status }) => status === 429).length).toBeGreaterThan(100);
  }
  const elapsedSeconds = (performance.now() - begunAt) / 1000;
  expect(count.scripts).toBeGreaterThan(0);
  // Ten at once from each address and two a second, each at most three scripts; and what the server does by itself.
  expect(count.scripts).toBeLessThan(floods.length * 3 * (10 + 2 * elapsedSeconds) + 10 * elapsedSeconds + 10);
  await server.stop();
});
