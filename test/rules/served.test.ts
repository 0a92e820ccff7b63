/** Rules on whole servers: the file, webhooks verified by the Standard Webhooks library, streams, the log, the dead. */
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createServer } from "node:net";
import { applyVerb, ask, brew, expectProblem, expectStatus, place, start } from "../support/http.ts";
import { scrape } from "../support/prometheus.ts";
import { sharedRedis } from "../support/redis.ts";
import { readRule, replay, untilOn, writeRules, writeText } from "../support/rules.ts";
import { startRefusedServer, startServer, stopServers } from "../support/server.ts";
import { soon, until } from "../support/until.ts";
import { newSecret, WebhookReceiver } from "../support/webhook-receiver.ts";

setDefaultTimeout(120_000);
afterAll(stopServers);

const SECRET = newSecret();
const ENVIRONMENT = { WEBHOOK_ALLOW: "127.0.0.1", WEBHOOK_SECRET: SECRET };

interface Event {
  readonly type: string;
  readonly timestamp: string;
  readonly event_id: string;
  readonly order_id: string;
  readonly data: Readonly<Record<string, unknown>>;
}

const webhook = (url: string, more = {}) => ({ webhook: { url, secret_env: "WEBHOOK_SECRET", ...more } });

describe("webhooks", () => {
  test("get each event that the pattern wants, whole, signed, and in order per order", async () => {
    const receiver = new WebhookReceiver({ secret: SECRET });
    const pattern = { type: [{ prefix: "order." }], data: { item: ["latte", "mocha"] } };
    const server = await startServer({
      ...ENVIRONMENT,
      RULES_FILE: writeRules({ name: "lattes", pattern, target: webhook(receiver.url("/hook?key=hidden")) }),
    });
    const ids: string[] = [];
    for (const item of ["latte", "espresso", "mocha"]) ids.push((await place(server, { item, note: "hot" })).order_id);
    for (const _ of ids) await brew(server, "barista=Grace");
    await until(() => receiver.got.length === 6, "six events are delivered");
    expect(receiver.got.every(({ isVerified }) => isVerified)).toBe(true);
    const events = receiver.got.map(({ body }) => body as Event);
    for (const id of [ids[0], ids[2]]) {
      const own = events.filter(({ order_id: orderId }) => orderId === id);
      expect(own.map(({ type }) => type)).toEqual(["order.placed", "order.started", "order.finished"]);
    }
    const [first] = events;
    expect(Object.keys(first ?? {})).toEqual(["type", "timestamp", "event_id", "order_id", "data"]);
    expect(first?.data).toMatchObject({ number: 1, item: "latte", status: "queued" });
    expect(receiver.ids).toEqual(events.map(({ event_id: id }) => `lattes_${id}`));
    const rule = await readRule(server, "lattes");
    expect(rule).toMatchObject({
      state: "on",
      target: { kind: "webhook", url: new URL(receiver.url()).origin },
      dead: 0,
    });
    await until(async () => (await readRule(server, "lattes")).lag === 0, "all is settled");
    const metrics = await scrape(server);
    expect(metrics.get('longpour_rule_deliveries_total{rule="lattes",outcome="delivered"}')).toBe(6);
    expect(metrics.get('longpour_rule_delivery_seconds_count{rule="lattes"}')).toBe(6);
    expect(metrics.get('longpour_rule_lag_events{rule="lattes"}')).toBe(0);
    await receiver.stop();
  });

  test("that are slow, endless, or redirect in a circle cost no other rule anything", async () => {
    const receiver = new WebhookReceiver({ secret: SECRET });
    const circle = new WebhookReceiver({
      secret: SECRET,
      answer: () => new Response(null, { status: 302, headers: { Location: circle.url() } }),
    });
    // One takes the request and never answers; the other sends a head and then goes on for ever.
    const silent = createServer(() => {}).listen(0, "127.0.0.1");
    const endless = createServer((socket) => {
      socket.on("error", () => {});
      socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
      const timer = setInterval(() => socket.write("1\r\na\r\n"), 5);
      socket.on("close", () => clearInterval(timer));
    }).listen(0, "127.0.0.1");
    const urlOf = (listening: typeof silent): string => {
      const address = listening.address();
      return `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}/`;
    };
    const pattern = { type: ["order.placed"] };
    const bad = { silent: urlOf(silent), endless: urlOf(endless), circle: circle.url() };
    const rules = Object.entries({ ...bad, good: receiver.url() }).map(([name, url]) => ({
      name,
      pattern,
      target: webhook(url, { timeout_seconds: 1 }),
    }));
    const server = await startServer({ ...ENVIRONMENT, RULES_FILE: writeRules(...rules) });
    for (const { name } of rules) await untilOn(server, name);
    const ids: string[] = [];
    for (let n = 0; n < 30; n += 1) ids.push((await place(server)).order_id);
    await soon(
      until(() => receiver.got.length === 30, "the good one gets all"),
      "and soon",
    );
    expect(receiver.got.map(({ body }) => (body as Event).order_id).toSorted()).toEqual(ids.toSorted());
    for (const name of ["silent", "circle"]) {
      await until(async () => (await readRule(server, name)).last_failure !== null, `${name} fails`);
    }
    expect((await readRule(server, "circle")).last_failure?.why).toContain("302");
    expect(await readRule(server, "good")).toMatchObject({ last_failure: null, lag: 0 });
    silent.close();
    endless.close();
    await Promise.all([circle.stop(), receiver.stop()]);
    await server.stop("SIGKILL");
  });

  test("that fail for too long leave dead letters; replayed, these come with the ids that they had", async () => {
    let isDown = true;
    const answer = (): Response => new Response(null, { status: isDown ? 500 : 204 });
    const receiver = new WebhookReceiver({ secret: SECRET, answer });
    const rule = { name: "orders", pattern: { type: ["order.placed"] }, target: webhook(receiver.url()) };
    const server = await startServer({ ...ENVIRONMENT, RULES_FILE: writeRules({ ...rule, retry_for_seconds: 1 }) });
    await untilOn(server, "orders");
    const orders = [await place(server), await place(server)];
    await until(async () => (await readRule(server, "orders")).dead === 2, "they are dead", 30_000);
    const listed = await ask(`${server.baristas}/rules/orders/dead`);
    expectStatus(listed, 200);
    const { dead } = listed.body as { dead: Event[] };
    expect(dead.map(({ order_id: id }) => id).toSorted()).toEqual(orders.map(({ order_id: id }) => id).toSorted());
    expect(dead[0]).toMatchObject({ type: "order.placed", why: "it answered 500" });
    const before = new Set(receiver.ids);
    isDown = false;
    const tried = receiver.got.length;
    const [first] = dead;
    const one = await replay(server, "orders", `?event_id=${first?.event_id}`);
    expectStatus(one, 202);
    expect(one.body).toEqual({ replayed: 1, left: 1 });
    expect((await replay(server, "orders")).body).toEqual({ replayed: 1, left: 0 });
    await until(() => receiver.got.length > tried + 1, "both are sent again", 30_000);
    expect(new Set(receiver.ids)).toEqual(before);
    await until(async () => (await readRule(server, "orders")).lag === 0, "nothing is left");
    expectProblem(await replay(server, "orders", `?event_id=${first?.event_id}`), 404);
    expectProblem(await replay(server, "unknown"), 404);
    expectProblem(await replay(server, "orders", "?event_id=x"), 422, "event_id");
    expectProblem(await ask(`${server.baristas}/rules/orders/dead?cursor=1-1`), 422, "cursor");
    await receiver.stop();
  });

  test("that answer 410 end their rule, over restarts too, until staff resume it", async () => {
    let isGone = true;
    const answer = (): Response => new Response(null, { status: isGone ? 410 : 204 });
    const receiver = new WebhookReceiver({ secret: SECRET, answer });
    const rule = { name: "orders", pattern: { type: ["order.placed"] }, target: webhook(receiver.url()) };
    const environment = { ...ENVIRONMENT, SHOP: `gone-${crypto.randomUUID()}`, RULES_FILE: writeRules(rule) };
    const first = await startServer(environment);
    await untilOn(first, "orders");
    await place(first);
    await until(async () => (await readRule(first, "orders")).state === "ended", "it has ended");
    await first.stop();
    isGone = false;
    const second = await startServer(environment);
    await place(second);
    expect(await readRule(second, "orders")).toMatchObject({ state: "ended", dead: 0 });
    expect(receiver.got).toHaveLength(1);
    const resumed = await ask(`${second.baristas}/rules/orders/resume`, { method: "POST" });
    expectStatus(resumed, 200);
    expect(resumed.body).toMatchObject({ name: "orders", state: "on", ended_at: null });
    await until(() => receiver.got.length === 3, "both come, the first again", 30_000);
    await receiver.stop();
  });
});

test("a stream takes whole events, for readers of its own; the log takes ids, types and states", async () => {
  const shop = `stream-${crypto.randomUUID()}`;
  const pattern = { type: ["order.placed", "order.cancelled", "shop.changed"] };
  const RULES_FILE = writeRules(
    { name: "to-stream", pattern, target: "stream:kitchen" },
    { name: "to-log", pattern, target: "log" },
  );
  const server = await startServer({ SHOP: shop, RULES_FILE });
  await untilOn(server, "to-stream");
  await untilOn(server, "to-log");
  const { order_id: orderId } = await place(server, { note: "status reason" });
  expectStatus(await applyVerb(server, "cancel", orderId), 200);
  expectStatus(await ask(`${server.baristas}/shop`, { method: "PATCH", json: { capacity: 7 } }), 200);
  const redis = (await sharedRedis()).connect();
  const key = `{${shop}}:out:kitchen`;
  await until(async () => (await redis.xlen(key)) === 3, "the stream has them");
  await redis.xgroup("CREATE", key, "screen", "0");
  const read = await redis.xreadgroup("GROUP", "screen", "one", "STREAMS", key, ">");
  const [[, entries] = ["", []]] = read as [string, [string, string[]][]][];
  const events = entries.map(([, fields]) => JSON.parse(fields[1] ?? "") as Event);
  expect(events.map(({ type }) => type)).toEqual(pattern.type);
  expect(events[0]).toMatchObject({ order_id: orderId, data: { number: 1, status: "queued" } });
  expect("order_id" in (events[2] ?? {})).toBe(false);
  redis.disconnect();
  const lines = () => server.log().filter(({ rule, event }) => rule === "to-log" && event !== undefined);
  await until(() => lines().length === 3, "the log has them");
  expect(lines()[1]).toMatchObject({ type: "order.cancelled", order_id: orderId, status: "cancelled" });
  expect(Object.keys(lines()[0] ?? {}).toSorted()).toEqual(
    ["event", "level", "msg", "order_id", "rule", "status", "time", "type"].toSorted(),
  );
  expect(await server.stop()).toBe(0);
});

test("the rules that ship are rules, and log what they say", async () => {
  const server = await startServer({ RULES_FILE: "deploy/rules.example.json" });
  for (const name of ["new-order", "order-started", "waiting-completion", "log-all"]) await untilOn(server, name);
  await place(server);
  await start(server, "barista=Grace");
  const logged = (): string[] =>
    server
      .log()
      .filter(({ rule, type }) => rule !== undefined && type !== undefined)
      .map(({ rule, type }) => [rule, type].join(" "));
  await until(() => logged().length === 5, "each is logged");
  expect(logged().toSorted()).toEqual([
    "log-all order.placed",
    "log-all order.started",
    "new-order order.placed",
    "order-started order.started",
    "waiting-completion order.placed",
  ]);
  await server.stop();
});

/** Its beginning, as long as the one that is wanted. */
function startOf(fault: string, wanted: string): string {
  return wanted.endsWith("…") ? `${fault.slice(0, wanted.length - 1)}…` : fault;
}

describe("a file that can't be used keeps the server from starting, with all of its faults", () => {
  const refused = (RULES_FILE: string, environment = {}) =>
    startRefusedServer({ REDIS_URL: "redis://127.0.0.1:1", RULES_FILE, ...environment });

  test("of shape, names, patterns, targets and secrets, and no secret is shown", async () => {
    const file = writeText(`short ${SECRET}`);
    const path = writeText(
      JSON.stringify({
        rules: [
          { name: "one", pattern: { type: ["order.stated"] }, target: "stdout" },
          { name: "one", pattern: {}, target: "log", retries: 3 },
          { name: "Two!", pattern: {}, target: "log", retry_for_seconds: 0 },
          { target: "log" },
          { name: "callbacks", pattern: {}, target: "log" },
          { name: "inside", pattern: {}, target: webhook("http://169.254.169.254/latest") },
          { name: "no-secret", pattern: {}, target: { webhook: { url: "https://example.org/?key=hidden" } } },
          { name: "unset", pattern: {}, target: webhook("https://example.org", { secret_env: "WEBHOOK_SECRET_X" }) },
          { name: "other-env", pattern: {}, target: webhook("https://example.org", { secret_env: "STAFF_TOKEN" }) },
          { name: "bad-file", pattern: {}, target: { webhook: { url: "https://example.org", secret_file: file } } },
          {
            name: "no-file",
            pattern: {},
            target: { webhook: { url: "https://example.org", secret_file: `${file}x` } },
          },
          { name: "list", pattern: { data: { a: "b" } }, target: { webhook: {}, log: true } },
        ],
        version: 1,
      }),
    );
    const { exitCode, output } = await refused(path, { WEBHOOK_SECRET: SECRET });
    expect(exitCode).toBe(2);
    expect(output).not.toContain(SECRET.slice(6, 20));
    expect(output).not.toContain("hidden");
    const faults = output.split("\n").flatMap((line) => line.split(`RULES_FILE: ${path}: `)[1] ?? []);
    const wanted = [
      "version is not known here: leave it out",
      "rule one: pattern.type[0] is no type of events",
      'rule one: target must be "log", "stream:<name>" or {"webhook": {…}}',
      "rule one: name is that of rules[0] too: give it another one",
      "rule one: retries is not known here: leave it out",
      "rule Two!: name must be 1 to 40…",
      "rule Two!: retry_for_seconds must be a whole number from 1 to 604800…",
      "rules[3]: name is missing…",
      "rules[3]: pattern must be an object",
      "rule callbacks: name must be…",
      "rule inside: target.webhook.url must…",
      "rule no-secret: target.webhook needs secret_env or secret_file, and not both",
      "rule unset: target.webhook.secret_env WEBHOOK_SECRET_X is not set",
      "rule other-env: target.webhook.secret_env must be the name of a variable…",
      "rule bad-file: target.webhook.secret_file must hold one or two secrets…",
      "rule no-file: target.webhook.secret_file can't be read",
      "rule list: pattern.data.a must be a list of wanted values, or an object",
      'rule list: target must be "log", "stream:<name>" or {"webhook": {…}}',
    ];
    // A line that ends with an ellipsis is how the fault begins.
    expect(faults.map((fault, at) => startOf(fault, wanted[at] ?? ""))).toEqual(wanted);
  });

  test.each([
    ["that is none", "/nowhere/rules.json", "can't be read"],
    ["that is no JSON", writeText('{"rules": [hush]}'), "is no JSON"],
    ["of another shape", writeText("[]"), "rules must be a list of at most 32 rules"],
    ["of too many rules", writeRules(...Array.from({ length: 33 }, () => ({}))), "rules must be a list of at most 32"],
  ])("%s", async (_name, path, fault) => {
    const { exitCode, output } = await refused(path);
    expect(exitCode).toBe(2);
    expect(output).toContain(`longpour: wrong setting: RULES_FILE: ${path}: ${fault}`);
    expect(output).not.toContain("hush");
  });
});
