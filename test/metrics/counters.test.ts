/** The numbers add up: after a busy hour in short, every counter is what the customers and the staff counted. */
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import {
  applyVerb,
  ask,
  cancelByCustomer,
  expectOrder,
  expectStatus,
  order,
  type Answer,
  type Ports,
  type Problem,
} from "../support/http.ts";
import { prometheusFolder, scrape, TestPrometheus, type Metrics } from "../support/prometheus.ts";
import { sharedRedis } from "../support/redis.ts";
import { startServer, stopServers, type Server } from "../support/server.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(180_000);
afterAll(stopServers);

const ORDERS = 1000;
const HELD = 100;
const CONCURRENT = 25;
const TOKEN = "hush-hush-42";
const METRICS_TOKEN = "only-to-look";
const AUTHORIZED = { headers: { Authorization: `Bearer ${TOKEN}` } };

/** The cause of a refusal, as metrics spell it, by its problem. */
const CAUSES: Readonly<Record<string, string>> = {
  shop_closed: "closed",
  invalid_input: "unknown_item",
  idempotency_mismatch: "mismatch",
  too_many_orders: "too_many_orders",
};

/** What the clients of this test have seen happen, spelled as metrics. */
class Ledger {
  readonly counts = new Map<string, number>();

  event(event: string, reason = ""): void {
    this.#add(`longpour_orders_total{event="${event}",reason="${reason}"}`);
  }

  refusal(answer: Answer): void {
    const name = (answer.body as Problem).type.replace("urn:longpour:problem:", "");
    this.#add(`longpour_refusals_total{cause="${CAUSES[name] ?? name}"}`);
  }

  #add(name: string): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
  }
}

async function openReplicas(count: number): Promise<Server[]> {
  const environment = {
    SHOP: `test-${crypto.randomUUID()}`,
    REDIS_URL: (await sharedRedis()).url,
    STAFF_TOKEN: TOKEN,
    METRICS_TOKEN,
    BARISTA_HOST: "127.0.0.1",
    TRUSTED_PROXIES: "127.0.0.1",
    LIMIT_CAPACITY: "5",
    LIMIT_REFILL_PER_SECOND: "0.001",
    MAX_ATTEMPTS: "3",
  };
  return await Promise.all(Array.from({ length: count }, () => startServer(environment)));
}

/** Does it that often, some at a time; `one` of the replicas for each, in turn. */
async function repeat(times: number, replicas: readonly Server[], one: (at: Ports, index: number) => Promise<void>) {
  const left = Array.from({ length: times }, (_, index) => index).values();
  const worker = async (): Promise<void> => {
    for (const index of left) await one(replicas[index % replicas.length] as Server, index);
  };
  await Promise.all(Array.from({ length: CONCURRENT }, worker));
}

const from = (address: string) => ({ "X-Forwarded-For": address });
const addressOf = (index: number): string => `198.51.${Math.floor(index / 200)}.${index % 200}`;

/** Places an order that is not held, and counts what comes of it. */
async function placeAsync(at: Ports, ledger: Ledger, draft: object, headers: Record<string, string>) {
  const answer = await order(at, draft, { headers: { Prefer: "respond-async", ...headers } });
  if (answer.status === 202) ledger.event("placed");
  else ledger.refusal(answer);
  return answer;
}

/** What a barista may do with the order that is next, by its number in this test. */
async function serve(at: Ports, ledger: Ledger, index: number): Promise<void> {
  const { baristas } = at;
  const { order_id: id } = expectOrder(await ask(`${baristas}/start/?wait=10&barista=Grace`, AUTHORIZED));
  ledger.event("started");
  const verb = async (name: Parameters<typeof applyVerb>[1], json?: object): Promise<void> => {
    expectOrder(await applyVerb(at, name, id, "barista=Grace", { ...AUTHORIZED, json }));
  };
  if (index % 20 === 1) {
    await verb("cancel");
    ledger.event("cancelled", "barista");
  } else if (index % 20 === 2) {
    await verb("fail", { error: "no milk", retry: false });
    ledger.event("cancelled", "machine_error");
  } else if (index % 20 === 3) {
    await verb("extend");
    ledger.event("extended");
    await verb("finish");
    // Once more: it answers the same, and nothing happens.
    await verb("finish");
    ledger.event("finished");
  } else {
    await verb("finish");
    ledger.event("finished");
  }
}

/** Orders that go back into the queue, which is empty before: once released, once failed for now. */
async function goBack(at: Ports, ledger: Ledger): Promise<void> {
  await placeAsync(at, ledger, {}, from("203.0.113.77"));
  for (const [verb, event, json] of [
    ["release", "released", undefined],
    ["fail", "failed", { error: "spilled" }],
    ["finish", "finished", undefined],
  ] as const) {
    const { order_id } = expectOrder(await ask(`${at.baristas}/start/?wait=10`, AUTHORIZED));
    ledger.event("started");
    expectOrder(await applyVerb(at, verb, order_id, "", { ...AUTHORIZED, json }));
    ledger.event(event);
  }
}

/** A thousand orders with all that may come between, at all replicas; resolves to what was seen of it. */
async function workThrough(replicas: readonly Server[]): Promise<Ledger> {
  const ledger = new Ledger();
  const [first] = replicas as [Server];
  const held = Array.from({ length: HELD }, (_, index) =>
    order(replicas[index % replicas.length] as Server, {}, { headers: from(addressOf(index)) }),
  );
  await until(async () => (await sumOf(replicas)).get("longpour_held_customers") === HELD, "all are held");
  for (let index = 0; index < HELD; index += 1) ledger.event("placed");
  let cancelled = 0;
  await repeat(ORDERS - HELD, replicas, async (at, index) => {
    const { body } = await placeAsync(at, ledger, { item: "latte" }, from(addressOf(index)));
    if (index % 10 !== 0) return;
    const { order_id } = body as { order_id: string };
    expectOrder(await cancelByCustomer(at, order_id), { status: "cancelled" });
    // Again: it answers the same.
    expectOrder(await cancelByCustomer(at, order_id), { status: "cancelled" });
    ledger.event("cancelled", "customer");
    cancelled += 1;
  });
  await repeat(40, replicas, async (at, index) => {
    await placeAsync(at, ledger, { item: "no-such-tea" }, from(addressOf(index)));
  });
  // Five get in, and are cancelled; the others come too fast.
  await repeat(12, [first], async (at) => {
    const { status, body } = await placeAsync(at, ledger, {}, from("203.0.113.5"));
    if (status !== 202) return;
    expectOrder(await cancelByCustomer(at, (body as { order_id: string }).order_id));
    ledger.event("cancelled", "customer");
  });
  await repeat(ORDERS - cancelled, replicas, (at, index) => serve(at, ledger, index));
  for (const answer of await Promise.all(held)) expect(answer.status).toBe(200);
  await goBack(first, ledger);
  const key = { ...from("203.0.113.6"), "Idempotency-Key": "key-of-mine" };
  await placeAsync(first, ledger, { item: "latte" }, key);
  expect((await order(first, { item: "latte" }, { headers: { Prefer: "respond-async", ...key } })).status).toBe(202);
  await placeAsync(first, ledger, { item: "mocha" }, key);
  expectStatus(await ask(`${first.baristas}/shop`, { method: "PATCH", json: { open: false }, ...AUTHORIZED }), 200);
  await repeat(7, replicas, async (at) => void (await placeAsync(at, ledger, {}, from("203.0.113.7"))));
  return ledger;
}

/** The metrics of all replicas, added up. */
async function sumOf(replicas: readonly Server[]): Promise<Metrics> {
  const sums = new Map<string, number>();
  for (const replica of replicas) {
    const metrics = await scrape(replica, { headers: { Authorization: `Bearer ${METRICS_TOKEN}` } });
    for (const [name, value] of metrics) sums.set(name, (sums.get(name) ?? 0) + value);
  }
  return sums;
}

test.each([1, 2])(
  "after 1,000 orders with cancels and refusals, %d replica(s) counted what clients did",
  async (count) => {
    const replicas = await openReplicas(count);
    const { counts } = await workThrough(replicas);
    const metrics = await sumOf(replicas);
    const counted = [...metrics].filter(([name, value]) => /^longpour_(orders|refusals)_total/.test(name) && value > 0);
    expect(Object.fromEntries(counted)).toEqual(Object.fromEntries(counts));
    const started = counts.get('longpour_orders_total{event="started",reason=""}') ?? 0;
    const finished = counts.get('longpour_orders_total{event="finished",reason=""}') ?? 0;
    // One was started three times, and an uncounted start is none.
    expect(metrics.get('longpour_order_wait_seconds_count{queue="default"}')).toBe(started - 2);
    expect(metrics.get('longpour_order_brew_seconds_count{queue="default"}')).toBe(finished);
    expect(metrics.get("longpour_order_notify_seconds_count")).toBe(HELD);
    expect(metrics.get("longpour_held_customers")).toBe(0);
    // One was placed under a key, and waits; each replica shows the whole shop.
    expect(metrics.get('longpour_queue_orders{queue="default",status="queued"}')).toBe(count);
    if (prometheusFolder !== undefined && count > 1) await expectSeen(replicas, counts);
    for (const replica of replicas) await replica.stop();
  },
);

/** A real Prometheus, which scrapes all replicas, finds the same sums. */
async function expectSeen(replicas: readonly Server[], counts: ReadonlyMap<string, number>): Promise<void> {
  await using prometheus = await TestPrometheus.start(replicas, METRICS_TOKEN);
  await until(async () => (await prometheus.query("sum(up)")) === replicas.length, "all are scraped", 30_000);
  for (const [name, value] of counts) expect([name, await prometheus.query(`sum(${name})`)]).toEqual([name, value]);
}
