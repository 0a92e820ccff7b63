/** Owns the tests of the commands beside orders: raw requests, demands, a server, simulators. */
import { beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { readWireOrder } from "../support/http.ts";
import { sharedRedis, type TestRedis } from "../support/redis.ts";
import { startServer } from "../support/server.ts";
import { begin, untilSaid } from "./program.ts";
import { CommandShop } from "./shop.ts";

setDefaultTimeout(60_000);

const shop = new CommandShop();
beforeAll(() => shop.open());

const NO_BREWING = ["--brew-min-seconds", "0", "--brew-max-seconds", "0.01"];
let redis: TestRedis;
beforeAll(async () => {
  redis = await sharedRedis();
});

test("raw shows the bytes of both ways, and ends when the server closes", async () => {
  const { exitCode, stdout, stderr } = await shop.run("raw", "GET /livez");
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/^[\d.]+ > GET \/livez HTTP\/1\.1\\r\\n$/m);
  expect(stdout).toMatch(/^[\d.]+ < HTTP\/1\.1 200 OK\\r\\n$/m);
  expect(stderr).toMatch(/^the server closed after [\d.]+ s\n$/);
});

test("raw --exact sends what it is given, and ends when the time is over", async () => {
  const sent = String.raw`GET /livez HTTP/1.1\r\nHost: x`;
  const got = await shop.json("raw", "--exact", sent, "--seconds", "0.3");
  expect(got).toMatchObject({ sent: "GET /livez HTTP/1.1\r\nHost: x", received: "", ended: "time" });
});

test("raw reaches the baristas' port, and adds the length of a body", async () => {
  const { stdout } = await shop.run("raw", "POST /fail/", "--body", '{"error":"ü"}', "--staff");
  expect(stdout).toContain(String.raw`> Content-Length: 14\r\n`);
  expect(stdout).toContain("< HTTP/1.1 401 ");
});

test("raw shows control characters as escapes", async () => {
  using server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: { data: (socket) => void socket.end("red \u001B[31m\ttext\u0085\n") },
  });
  const { stdout } = await shop.run("raw", "GET /", "--url", `http://127.0.0.1:${server.port}`);
  expect(stdout).toContain(String.raw`< red \x1b[31m\ttext\x85\n`);
});

test("raw keeps no more than 4 MB of what comes", async () => {
  const sent = "x".repeat(5 * 1024 * 1024);
  using server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response(sent) });
  const got = await shop.json("raw", "GET /", "--url", `http://127.0.0.1:${server.port}`);
  expect(got).toMatchObject({ ended: "server" });
  expect((got as { received: string }).received).toHaveLength(4 * 1024 * 1024);
});

test("appends so many demands to the stream", async () => {
  const { exitCode, stdout } = await shop.run(
    "produce",
    "work",
    "--every",
    "0s",
    "--count",
    "3",
    "--redis",
    redis.url,
    "--shop",
    shop.name,
    "--json",
  );
  expect(exitCode).toBe(0);
  const lines = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as { id: string; add_up_to: number });
  expect(lines).toHaveLength(3);
  const client = redis.connect();
  const entries = await client.xrange(`{${shop.name}}:demands:work`, "-", "+");
  client.disconnect();
  expect(entries).toEqual(
    lines.map(({ id, add_up_to }) => [id, ["demand", JSON.stringify({ add_up_to, done: false })]]),
  );
  for (const { add_up_to } of lines) expect(add_up_to >= 1 && add_up_to <= 99).toBe(true);
});

test("goes on until Ctrl-C, and then ends with 0", async () => {
  const producing = shop.begin("produce", "work", "--every", "20ms", "--redis", redis.url, "--shop", `${shop.name}-2`);
  await untilSaid(producing, /(.*\n){3}/);
  producing.kill("SIGINT");
  expect((await producing.ended).exitCode).toBe(0);
});

test("a Redis that is away is named by its address alone, and ends with 1", async () => {
  const url = "redis://user:very-secret@127.0.0.1:1";
  const { exitCode, stderr } = await shop.run("produce", "work", "--every", "1s", "--redis", url);
  expect(exitCode).toBe(1);
  expect(stderr).toStartWith("longpour produce: Redis can't be reached at 127.0.0.1:1 (");
  expect(stderr).not.toContain("very-secret");
});

test("serve runs a server by its flags, with baristas beside it, until SIGTERM", async () => {
  const serving = begin(
    ["serve", "--customer-port", "0", "--barista-port", "0", "--customer-host", "127.0.0.1", "--baristas", "2"],
    { REDIS_URL: redis.url, SHOP: `test-${crypto.randomUUID()}`, CUSTOMER_PORT: "no port" },
  );
  await untilSaid(serving, "open: customers");
  const [, url = ""] = /"customers":"([^"]+)"/.exec(serving.said()) ?? [];
  const served = await begin(["order", "latte", "--json"], { LONGPOUR_URL: url }).ended;
  expect(served.exitCode).toBe(0);
  expect(readWireOrder(JSON.parse(served.stdout)).status).toBe("ready");
  serving.kill("SIGTERM");
  expect((await serving.ended).exitCode).toBe(0);
});

test("the simulators print their summary as one JSON document, too", async () => {
  const shift = ["--orders", "3", ...NO_BREWING, "--json"];
  const elsewhere = await startServer();
  const [customers, baristas] = await Promise.all([
    begin(["customers", "--url", elsewhere.customers, "--group-min", "3", "--group-max", "3", "--json"]).ended,
    begin(["baristas", "--staff-url", elsewhere.baristas, ...shift]).ended,
  ]);
  expect([customers.exitCode, baristas.exitCode]).toEqual([0, 0]);
  expect(JSON.parse(customers.stdout)).toMatchObject({ customers: { arrived: 3, served: 3, lost: 0 } });
  expect(JSON.parse(baristas.stdout)).toMatchObject({ baristas: { finished: 3, doubled: 0 } });
  await elsewhere.stop();
});
