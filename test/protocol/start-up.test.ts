/** How a server starts, or says in one line why it can't; who may use the baristas' port; what is in the log. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { networkInterfaces } from "node:os";
import { ask, exchange, expectOrder, expectProblem, order, place } from "../support/http.ts";
import { sharedRedis, TestRedis } from "../support/redis.ts";
import { startRefusedServer, startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(60_000);

/** Expects one line on why, an exit code, and nothing internal. */
function expectRefused({ exitCode, output }: { exitCode: number; output: string }, code: number): string {
  if (exitCode !== code) throw new Error(`exit code ${exitCode}, not ${code}: ${output}`);
  const said = output.split("\n").filter((line) => line !== "" && !line.startsWith("{"));
  expect(said[0]).toStartWith("longpour: ");
  expect(output).not.toMatch(/\n\s+at |\.ts:\d|Error:|node_modules/);
  return said.join("\n");
}

describe("a server that can't start says why in one line", () => {
  test("wrong settings: all of them, and exit code 2", async () => {
    const said = expectRefused(
      await startRefusedServer({
        CUSTOMER_PORT: "coffee",
        BARISTA_PORT: "65536",
        LIMIT_CAPACITY: "0",
        LEASE_SECONDS: "1.5",
        TRUSTED_PROXIES: "10.0.0.0/33",
        REDIS_URL: "http://user:hush-hush@localhost",
        SHOP: "a b",
        LOG_LEVEL: "loud",
        STAFF_TOKEN: "hush hush",
        CALLBACK_SECRET: "whsec_hush",
      }),
      2,
    );
    const names = [
      "CUSTOMER_PORT",
      "BARISTA_PORT",
      "LIMIT_CAPACITY",
      "LEASE_SECONDS",
      "TRUSTED_PROXIES",
      "REDIS_URL",
      "SHOP",
      "LOG_LEVEL",
      "STAFF_TOKEN",
      "CALLBACK_SECRET",
    ];
    for (const name of names) expect(said).toMatch(new RegExp(`^  ${name}: .+`, "m"));
    expect(said).not.toContain("hush");
  });

  test("files that settings name: the faults of all, and exit code 2", async () => {
    const { url } = await sharedRedis();
    const files = { TLS_CERT: "/nowhere/cert.pem", TLS_KEY: "/nowhere/key.pem", RULES_FILE: "/nowhere/rules.json" };
    const callbacks = { CALLBACK_ALLOW: "*", CALLBACK_SECRET_FILE: "/nowhere/secret" };
    const said = expectRefused(await startRefusedServer({ REDIS_URL: url, ...files, ...callbacks }), 2);
    expect(said).toBe(
      [
        "longpour: wrong settings:",
        "  TLS_CERT: /nowhere/cert.pem is missing",
        "  TLS_KEY: /nowhere/key.pem is missing",
        "  RULES_FILE: /nowhere/rules.json: can't be read",
        "  CALLBACK_SECRET_FILE: /nowhere/secret can't be read",
      ].join("\n"),
    );
  });

  test("the baristas' port for all, without a token: exit code 2", async () => {
    const { url } = await sharedRedis();
    const said = expectRefused(await startRefusedServer({ REDIS_URL: url, BARISTA_HOST: "0.0.0.0" }), 2);
    expect(said).toContain("STAFF_TOKEN");
  });

  test("a Redis that may evict orders", async () => {
    const redis = await TestRedis.start("--maxmemory-policy", "allkeys-lru");
    const said = expectRefused(await startRefusedServer({ REDIS_URL: redis.url }), 1);
    expect(said).toContain("noeviction");
    await redis.stop();
  });

  test("a Redis that asks for a password: none and a wrong one are named, the right one opens", async () => {
    const redis = await TestRedis.start();
    const admin = redis.connect();
    await admin.config("SET", "requirepass", "right-one");
    expect(expectRefused(await startRefusedServer({ REDIS_URL: redis.url }), 1)).toContain("REDIS_URL");
    const wrong = await startRefusedServer({ REDIS_URL: `redis://:wrong-one@127.0.0.1:${redis.port}` });
    expect(expectRefused(wrong, 1)).toContain("REDIS_URL");
    expect(wrong.output).not.toContain("wrong-one");
    const server = await startServer({ REDIS_URL: `redis://:right-one@127.0.0.1:${redis.port}` });
    expect((await ask(`${server.customers}/readyz`)).status).toBe(200);
    expect(JSON.stringify(server.log())).not.toContain("right-one");
    expect(await server.stop()).toBe(0);
    admin.disconnect();
    await redis.stop();
  });

  test("a Redis that is not there", async () => {
    const redis = await TestRedis.start();
    await redis.stop();
    const said = expectRefused(await startRefusedServer({ REDIS_URL: redis.url, OUTAGE_SECONDS: "1" }), 1);
    expect(said).toContain("can't be reached");
  });

  test.each(["CUSTOMER_PORT", "BARISTA_PORT"])("%s taken by another program, or by another server", async (name) => {
    const { url } = await sharedRedis();
    const taken = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const said = expectRefused(await startRefusedServer({ REDIS_URL: url, [name]: String(taken.port) }), 1);
    expect(said).toContain(String(taken.port));
    expect(said).toContain(name);
    taken.stop(true);

    const running = await startServer();
    const { port } = new URL(name === "CUSTOMER_PORT" ? running.customers : running.baristas);
    expect(expectRefused(await startRefusedServer({ REDIS_URL: url, [name]: port }), 1)).toContain(port);
    expect((await ask(`${running.customers}/livez`)).status).toBe(200);
    await running.stop();
  });
});

describe("the baristas' port", () => {
  const TOKEN = "hush-hush-42";
  const withToken = (token: string) => ({ headers: { Authorization: `Bearer ${token}` } });

  test("with a staff token it asks for it, everywhere but at probes and the API's description", async () => {
    const server = await startServer({ STAFF_TOKEN: TOKEN });
    const id = "01938a5e-7c1b-7f3e-9a52-6f1d2c3b4a59";
    await place(server);
    const wrong = ["", TOKEN.slice(0, -1), `${TOKEN}x`, TOKEN.toUpperCase()];
    // A guesser's address is not listened to for long: each route is asked from another.
    for (const [index, [method = "", path = ""]] of [
      ["GET", "/start/"],
      ["GET", "/start"],
      ["POST", `/finish/?order_id=${id}`],
      ["POST", `/cancel/?order_id=${id}`],
      ["GET", "/order/"],
      ["GET", `/order/${id}`],
      ["GET", "/queue"],
      ["GET", "//queue"],
      ["GET", "/swagger/../queue"],
      ["GET", "/nowhere"],
    ].entries()) {
      const localAddress = `127.0.2.${index + 1}`;
      const without = await ask(server.baristas + path, { method, localAddress });
      expectProblem(without, 401);
      expect(without.headers["www-authenticate"]).toStartWith("Bearer");
      for (const token of wrong) {
        const answer = await ask(server.baristas + path, { method, localAddress, ...withToken(token) });
        expectProblem(answer, 401);
        expect(answer.headers["www-authenticate"]).toStartWith("Bearer");
      }
      const basic = { method, localAddress, headers: { Authorization: `Basic ${btoa(`staff:${TOKEN}`)}` } };
      expectProblem(await ask(server.baristas + path, basic), 401);
    }
    for (const path of [
      "/livez",
      "/livez/",
      "/readyz",
      "/swagger",
      "/swagger/",
      "/swagger/json",
      "/swagger/swagger-ui.css",
    ]) {
      expect((await ask(server.baristas + path)).status).toBe(200);
    }
    expectOrder(await ask(`${server.baristas}/start/`, withToken(TOKEN)), { status: "brewing", attempts: 1 });
    expect((await ask(`${server.baristas}/queue`, { headers: { authorization: `bearer ${TOKEN}` } })).status).toBe(200);
    await server.stop();
  });

  test.each([
    ["no host, as some health checks send it", "HTTP/1.0\r\n"],
    ["an impossible host", "HTTP/1.1\r\nHost: x/livez?\r\nConnection: close\r\n"],
  ])(
    "with a staff token, a request that names %s is answered nothing internal, and opens nothing",
    async (_what, rest) => {
      const server = await startServer({ STAFF_TOKEN: TOKEN });
      const probe = await exchange(server.baristas, `GET /livez ${rest}\r\n`);
      const asking = await exchange(server.baristas, `GET /queue ${rest}\r\n`);
      expect([probe, asking].filter((got) => /node_modules|src\/\w+|stack/.test(got)).length).toBe(0);
      expect(probe.slice(0, 12)).toMatch(/^HTTP\/1.1 (200|400)$/);
      expect(asking.slice(0, 12)).toMatch(/^HTTP\/1.1 40[01]$/);
      await server.stop();
    },
  );

  const outside = Object.values(networkInterfaces())
    .flat()
    .find((one) => one?.family === "IPv4" && !one.internal)?.address;

  // Skipped, and shown as such, on a machine without another address.
  test.skipIf(outside === undefined)("without a staff token it can be reached from this machine only", async () => {
    const server = await startServer();
    const { port } = new URL(server.baristas);
    const reached = await ask(`http://${outside}:${port}/livez`).then(
      () => true,
      () => false,
    );
    expect(reached).toBe(false);
    expect(server.baristas).toStartWith("http://127.0.0.1:");
    expect(JSON.stringify(server.log())).toContain("STAFF_TOKEN");
    await server.stop();
  });
});

describe("the log", () => {
  test("the line that it is open names the real ports and the Swagger page", async () => {
    const server = await startServer();
    const line = server.log().find(({ msg }) => String(msg).startsWith("open:"));
    expect(line).toMatchObject({ level: "info", customers: server.customers, baristas: server.baristas });
    expect(line?.swagger).toBe(`${server.customers}/swagger`);
    for (const url of [server.customers, server.baristas]) {
      expect(Number(new URL(url).port)).toBeGreaterThan(0);
      expect((await ask(`${url}/readyz`)).status).toBe(200);
    }
    await server.stop();
  });

  test("nothing in it is a token or a customer's words, at any level", async () => {
    const server = await startServer({ STAFF_TOKEN: "hush-hush-42", BARISTA_HOST: "127.0.0.1", LOG_LEVEL: "trace" });
    const staff = { headers: { Authorization: "Bearer hush-hush-42" } };
    const words = { note: "oat milk, please", customer_name: "Ada Lovelace", customer_id: "c-secret" };
    await place(server, words);
    expectProblem(await order(server, { ...words, size: "xl" }), 422);
    expectProblem(await order(server, undefined, { headers: { "Content-Type": "text/plain" }, body: "oat milk" }), 415);
    expectProblem(await ask(`${server.baristas}/queue`, { headers: { Authorization: "Bearer wrong-token" } }), 401);
    const { order_id } = expectOrder(await ask(`${server.baristas}/start/`, staff));
    expectOrder(await ask(`${server.baristas}/finish/?order_id=${order_id}`, { method: "POST", ...staff }));
    expect((await ask(`${server.baristas}/order/?customer_id=c-secret`, staff)).status).toBe(200);
    expect(await server.stop()).toBe(0);
    await until(() => server.log().some(({ msg }) => msg === "stopped"), "the whole log is read");
    expect(server.log().length).toBeGreaterThan(3);
    for (const line of server.log()) {
      expect(["trace", "debug", "info", "warn", "error"]).toContain(String(line.level));
      expect(String(line.time)).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
      expect(line.msg).toBeString();
    }
    expect(JSON.stringify(server.log())).not.toMatch(/hush-hush|oat milk|Lovelace|wrong-token|c-secret/);
  });

  test("with LOG_LEVEL=debug there is a line a request, with the status that was answered", async () => {
    const server = await startServer({ LOG_LEVEL: "debug" });
    const requests = [
      await ask(`${server.customers}/livez`),
      await ask(`${server.customers}/nowhere`),
      await order(server, { item: "tea" }),
      await order(server, {}, { headers: { Prefer: "respond-async" } }),
    ];
    const lines = () => server.log().filter(({ msg }) => msg === "request");
    await until(() => lines().length === requests.length, "a line a request");
    // A line is written after its answer is sent: the next request's may come before it.
    const requested = lines().map(({ method, path, status }) => `${String(method)} ${String(path)} ${String(status)}`);
    expect(requested.toSorted()).toEqual([
      "GET /livez 200",
      "GET /nowhere 404",
      "POST /order/ 202",
      "POST /order/ 422",
    ]);
    await server.stop();
  });

  test("every line is JSON, from the first to the last", async () => {
    const { url } = await sharedRedis();
    // Ends by itself once it has said why: what it printed is seen whole.
    const taken = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const { output } = await startRefusedServer({
      REDIS_URL: url,
      BARISTA_PORT: String(taken.port),
      LOG_LEVEL: "trace",
    });
    taken.stop(true);
    const [last = "", ...before] = output.trim().split("\n").toReversed();
    expect(last).toStartWith("longpour: ");
    for (const line of before) expect(JSON.parse(line)).toBeObject();
  });
});
