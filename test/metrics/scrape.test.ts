/** GET /metrics itself: who may read it, its format, what it says while Redis is away, and that Prometheus takes it. */
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { OPERATIONS } from "../docs/documents.ts";
import { ahead, call, placeCall } from "../support/calls.ts";
import { Authority, curl, InstalledPair } from "../support/certificates.ts";
import {
  ask,
  brew,
  expectProblem,
  expectStatus,
  order,
  place,
  untilHeld,
  type Answer,
  type Ports,
} from "../support/http.ts";
import { takeMoney } from "../support/payments.ts";
import { lint, prometheusFolder, readMetrics, scrape, TestPrometheus } from "../support/prometheus.ts";
import { sharedRedis, TestRedis } from "../support/redis.ts";
import { startServer, stopServers } from "../support/server.ts";
import { changeShop, expectRefusal } from "../support/shop.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(120_000);
afterAll(stopServers);

const STAFF_TOKEN = "hush-hush-42";
const METRICS_TOKEN = "only-to-look";
const TOKENS = { STAFF_TOKEN, METRICS_TOKEN, BARISTA_HOST: "127.0.0.1" };
const TEXT = "text/plain; version=0.0.4; charset=utf-8";
const OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8";

const askWith = (url: string, token?: string, headers = {}): Promise<Answer> =>
  ask(url, { headers: { ...headers, ...(token === undefined ? undefined : { Authorization: `Bearer ${token}` }) } });

test("both tokens open the metrics, the one for metrics opens nothing else, and guesses are counted together", async () => {
  const { baristas } = await startServer(TOKENS);
  for (const token of [STAFF_TOKEN, METRICS_TOKEN]) {
    for (const path of ["/metrics", "/metrics/"]) expectStatus(await askWith(baristas + path, token), 200);
  }
  for (const token of [undefined, "guess"]) {
    const { type, detail } = expectProblem(await askWith(`${baristas}/metrics`, token), 401);
    expect(type).toBe("urn:longpour:problem:unauthorized");
    expect(detail).toEndWith("the staff token or that of METRICS_TOKEN.");
  }
  for (const path of ["/queue", "/order/", "/events", "/metrics/x", "/METRICS", "/nowhere"]) {
    expectRefusal(await askWith(baristas + path, METRICS_TOKEN), 401, "unauthorized");
  }
  const post = { method: "POST", headers: { Authorization: `Bearer ${METRICS_TOKEN}` } };
  expectRefusal(await ask(`${baristas}/metrics`, post), 401, "unauthorized");
  // Eight so far, the one for metrics elsewhere among them.
  expectRefusal(await askWith(`${baristas}/metrics`, "guess"), 401, "unauthorized");
  for (const path of ["/metrics", "/queue"]) {
    await until(
      async () => (await askWith(baristas + path, "guess")).status === 429,
      "the guesses at either are too many for both",
    );
  }
  expectStatus(await askWith(`${baristas}/metrics`, METRICS_TOKEN), 200);
});

test("without a metrics token the staff token opens them; without that too, no token is asked for", async () => {
  const guarded = await startServer({ STAFF_TOKEN, BARISTA_HOST: "127.0.0.1" });
  expectStatus(await askWith(`${guarded.baristas}/metrics`, STAFF_TOKEN), 200);
  expectRefusal(await askWith(`${guarded.baristas}/metrics`), 401, "unauthorized");
  const open = await startServer({ METRICS_TOKEN });
  expectStatus(await ask(`${open.baristas}/metrics`), 200);
  const other = await ask(`${open.baristas}/metrics`, { headers: { Host: "coffee.example.org" } });
  expectRefusal(other, 403, "cross_site");
});

test("they are OpenMetrics for who asks for that, and Prometheus's text for all others", async () => {
  const { baristas } = await startServer();
  const typeFor = async (accept?: string): Promise<unknown> => {
    const answer = await ask(`${baristas}/metrics`, accept === undefined ? {} : { headers: { Accept: accept } });
    expectStatus(answer, 200);
    expect(answer.headers).toMatchObject({ "cache-control": "no-store", vary: "Accept" });
    return answer.headers["content-type"];
  };
  for (const accept of [
    undefined,
    "*/*",
    "text/html",
    "text/plain",
    "application/json",
    "application/openmetrics-text;q=0",
  ]) {
    expect(await typeFor(accept)).toBe(TEXT);
  }
  expect(await typeFor("application/openmetrics-text;q=0.2, text/plain;q=0.9")).toBe(TEXT);
  for (const accept of [
    "application/openmetrics-text",
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
  ]) {
    expect(await typeFor(accept)).toBe(OPENMETRICS);
  }
  const [text, openmetrics] = await Promise.all([
    ask(`${baristas}/metrics`),
    ask(`${baristas}/metrics`, { headers: { Accept: "application/openmetrics-text" } }),
  ]);
  // The same values; a counter is declared under its name without the ending.
  expect([...readMetrics(openmetrics.text).keys()]).toEqual([...readMetrics(text.text).keys()]);
  expect(text.text).toContain("# TYPE longpour_orders_total counter\n");
  expect(openmetrics.text).toContain("# TYPE longpour_orders counter\n");
  expect(openmetrics.text).toEndWith("\n# EOF\n");
  expectStatus(await ask(`${baristas}/metrics`, { method: "HEAD" }), 200);
});

test("queues, their oldest order, held customers and lanes are what they are", async () => {
  const server = await startServer({ QUEUES: "thumbs, mail" });
  await changeShop(server, { payment: "counter" });
  const [paid] = [await place(server), await place(server)];
  expectStatus(await takeMoney(server, paid.order_id), 200);
  await brew(server);
  await changeShop(server, { payment: "off" });
  const held = [order(server), order(server)];
  await untilHeld(server, 2);
  await placeCall(server, "thumbs");
  await placeCall(server, `thumbs?not_before=${ahead(3_600_000)}`);
  const metrics = await scrape(server);
  const orders = (queue: string, status: string) =>
    metrics.get(`longpour_queue_orders{queue="${queue}",status="${status}"}`);
  expect(orders("default", "queued")).toBe(2);
  expect(orders("default", "unpaid")).toBe(1);
  expect(orders("thumbs", "queued")).toBe(1);
  expect(orders("thumbs", "scheduled")).toBe(1);
  expect(orders("mail", "queued")).toBe(0);
  expect(metrics.get('longpour_queue_oldest_waiting_seconds{queue="default"}')).toBeGreaterThan(0);
  expect(metrics.get('longpour_queue_oldest_waiting_seconds{queue="mail"}')).toBe(0);
  expect(metrics.get("longpour_held_customers")).toBe(2);
  expect(metrics.get('longpour_payments_total{event="taken"}')).toBe(1);
  expect(metrics.get('longpour_orders_total{event="unpaid",reason=""}')).toBe(2);
  await until(async () => (await scrape(server)).get("longpour_lane_orders") === 2, "a lane listens for both");
  expect((await scrape(server)).get("longpour_lanes")).toBe(1);
  await brew(server);
  await brew(server);
  for (const answer of await Promise.all(held)) expectStatus(answer, 200);
});

test("a queue that is declared elsewhere, and a machine's own words, make no label of their own", async () => {
  const shop = { SHOP: `test-${crypto.randomUUID()}` };
  const declaring = await startServer({ ...shop, QUEUES: "thumbs" });
  const other = await startServer(shop);
  await placeCall(declaring, "thumbs", { words: "placed_at" });
  await brew(other, "queue=thumbs&barista=Gra%22ce");
  const metrics = await scrape(other);
  expect(metrics.get('longpour_order_wait_seconds_count{queue="other"}')).toBe(1);
  expect(metrics.get('longpour_order_brew_seconds_count{queue="other"}')).toBe(1);
  expect([...metrics.keys()].filter((name) => /thumbs|Gra/.test(name))).toEqual([]);
  expect((await scrape(declaring)).get('longpour_order_wait_seconds_count{queue="thumbs"}')).toBe(0);
});

test("while Redis is away a scrape says what the server knows, at once, and afterwards all again", async () => {
  const redis = await TestRedis.start();
  const server = await startServer({ REDIS_URL: redis.url, OUTAGE_SECONDS: "1" });
  await place(server);
  const held = order(server);
  await untilHeld(server, 1);
  await redis.kill();
  await until(async () => (await scrape(server)).get("longpour_redis_up") === 0, "the outage shows");
  expectRefusal(await order(server), 503, "redis_away");
  const away = await scrape(server);
  expect(away.get("longpour_held_customers")).toBe(1);
  expect(away.get('longpour_orders_total{event="placed",reason=""}')).toBe(2);
  expect(away.get('longpour_refusals_total{cause="redis_away"}')).toBe(1);
  expect(away.get("longpour_redis_outages_total")).toBe(1);
  expect(away.get("longpour_redis_outage_seconds_total")).toBeGreaterThan(0);
  expect([...away.keys()].filter((name) => name.startsWith("longpour_queue"))).toEqual([]);
  await redis.resume();
  const queued = 'longpour_queue_orders{queue="default",status="queued"}';
  await until(async () => (await scrape(server)).get(queued) === 2, "the shop is measured again", 30_000);
  await brew(server);
  await brew(server);
  expectStatus(await held, 200);
  const back = await scrape(server);
  expect(back.get("longpour_redis_up")).toBe(1);
  expect(back.get("longpour_redis_outages_total")).toBe(1);
  await server.stop();
  await redis.stop();
});

test("a damaged index hides no other figure of the shop", async () => {
  const shop = `test-${crypto.randomUUID()}`;
  const server = await startServer({ SHOP: shop });
  await place(server);
  const client = (await sharedRedis()).connect();
  await client.set(`{${shop}}:readers`, "no hash");
  await client.set(`{${shop}}:reserved`, "no index");
  await client.zadd(`{${shop}}:dead`, 1, "one", 2, "two");
  const metrics = await scrape(server);
  expect(metrics.get("longpour_reserved_orders")).toBe(0);
  expect(metrics.get("longpour_dead_letters")).toBe(2);
  expect(metrics.get('longpour_queue_orders{queue="default",status="queued"}')).toBe(1);
  client.disconnect();
});

test("requests that meet a fault are counted, and no others", async () => {
  const shop = `test-${crypto.randomUUID()}`;
  const server = await startServer({ SHOP: shop });
  const faults = 'longpour_request_faults_total{fault="shop_damaged"}';
  expect((await scrape(server)).get(faults)).toBe(0);
  expectRefusal(await ask(`${server.customers}/nowhere`), 404, "route_unknown");
  const client = (await sharedRedis()).connect();
  await client.set(`{${shop}}:bucket:order:127.0.0.1`, "no hash");
  expectRefusal(await order(server), 500, "shop_damaged");
  client.disconnect();
  const metrics = await scrape(server);
  expect(metrics.get(faults)).toBe(1);
  expect(metrics.get('longpour_request_faults_total{fault="internal"}')).toBe(0);
});

test("the bound of held customers and the end of the certificate show, the latter as renewed", async () => {
  const authority = new Authority("metrics-authority");
  const files = new InstalledPair(authority.issue("first", { toDays: 10 }));
  const plain = await startServer({ MAX_HELD: "123" });
  const shown = await scrape(plain);
  expect(shown.get("longpour_held_customers_limit")).toBe(123);
  expect(shown.has("longpour_certificate_expiry_timestamp_seconds")).toBe(false);
  const secure = await startServer(files.settings);
  const readDays = async (): Promise<number> => {
    const { body } = await curl(`${secure.baristas}/metrics`, { cacert: authority.path });
    const seconds = readMetrics(body).get("longpour_certificate_expiry_timestamp_seconds") ?? NaN;
    return Math.round((seconds - Date.now() / 1000) / 86_400);
  };
  expect(await readDays()).toBe(10);
  files.replace(authority.issue("second", { toDays: 20 }));
  await until(async () => (await readDays()) === 20, "the renewed certificate's end shows");
});

test("what a durable reader has yet to handle shows as its lag", async () => {
  const shop = `test-${crypto.randomUUID()}`;
  const server = await startServer({ SHOP: shop });
  for (let placed = 0; placed < 5; placed += 1) await place(server);
  const client = (await sharedRedis()).connect();
  await client.hset(`{${shop}}:readers`, "tally", "1795225048814-2");
  expect((await scrape(server)).get('longpour_reader_lag_events{reader="tally"}')).toBe(3);
  client.disconnect();
});

async function busy(ports: Ports): Promise<void> {
  const held = order(ports);
  const made = call(ports, "thumbs", { a: 1 });
  await brew(ports);
  await brew(ports, "queue=thumbs&wait=10");
  expectStatus(await held, 200);
  expectStatus(await made, 200);
}

test("each metric stands in the documents for operators", async () => {
  const server = await startServer();
  const { text } = await ask(`${server.baristas}/metrics`);
  const documented = await Bun.file(OPERATIONS).text();
  const names = Array.from(text.matchAll(/^# TYPE (\S+) /gm), ([, name = ""]) => name);
  expect(names.length).toBeGreaterThan(15);
  expect(names.filter((name) => !documented.includes(`| \`${name}\``))).toEqual([]);
});

test.skipIf(prometheusFolder === undefined)("promtool finds nothing to say of them", async () => {
  const server = await startServer({ QUEUES: "thumbs" });
  await busy(server);
  expect(await lint((await ask(`${server.baristas}/metrics`)).text)).toBe("");
});

test.skipIf(prometheusFolder === undefined)(
  "Prometheus scrapes them as OpenMetrics, with the metrics token",
  async () => {
    const server = await startServer({ ...TOKENS, QUEUES: "thumbs" });
    await using prometheus = await TestPrometheus.start([server], METRICS_TOKEN);
    await until(async () => (await prometheus.query("up")) === 1, "it is scraped", 30_000);
    expect(await prometheus.query("longpour_redis_up")).toBe(1);
    expect(await prometheus.query('longpour_order_wait_seconds_bucket{queue="thumbs",le="+Inf"}')).toBe(0);
  },
);
