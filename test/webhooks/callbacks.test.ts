/** Owns the tests of callbacks on whole servers: which URLs are taken, and what comes to them of which orders. */
import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  applyVerb,
  ask,
  brew,
  expectOrder,
  expectProblem,
  expectStatus,
  order,
  place,
  start,
  type Answer,
  type WireOrder,
} from "../support/http.ts";
import { readRule, replay, untilOn, writeText } from "../support/rules.ts";
import { startRefusedServer, startServer, stopServers, type Server } from "../support/server.ts";
import { expectRefusal } from "../support/shop.ts";
import { soon, until } from "../support/until.ts";
import { newSecret, WebhookReceiver } from "../support/webhook-receiver.ts";
import { unmark } from "../support/words.ts";

setDefaultTimeout(60_000);

const SECRET = newSecret();
const ALLOWED = { CALLBACK_ALLOW: "127.0.0.1, hooks.test, *.flows.test", WEBHOOK_ALLOW: "127.0.0.1, *.flows.test" };
const SETTINGS = { ...ALLOWED, CALLBACK_SECRET: SECRET, QUEUES: "thumbs" };

let server: Server;
const receivers: WebhookReceiver[] = [];

beforeAll(async () => {
  server = await startServer(SETTINGS);
  await untilOn(server, "callbacks");
});
afterEach(async () => {
  for (const receiver of receivers.splice(0)) await receiver.stop();
});
afterAll(stopServers);

function createReceiver(options: Partial<ConstructorParameters<typeof WebhookReceiver>[0]> = {}): WebhookReceiver {
  const receiver = new WebhookReceiver({ secret: SECRET, ...options });
  receivers.push(receiver);
  return receiver;
}

async function find(orderId: string): Promise<WireOrder> {
  return expectOrder(await ask(`${server.customers}/order/${orderId}`));
}

describe("a final order is posted", () => {
  test("when it is ready, as it is shown, while its customer is answered as ever", async () => {
    const receiver = createReceiver();
    const url = receiver.url("/done?for=me");
    const held = order(server, { item: "latte", note: "hot", callback_url: url });
    const { order_id } = await start(server, "wait=10&barista=Grace");
    expectStatus(await applyVerb(server, "finish", order_id, "", { method: "POST", json: { cups: 2 } }), 200);
    const answered = expectOrder(await soon(held, "the customer is answered"), { status: "ready", callback_url: url });
    await until(() => receiver.got.length > 0, "it is posted");
    expect(answered).toMatchObject({ result: { cups: 2 } });
    expect(JSON.parse(unmark(JSON.stringify(receiver.got)))).toEqual([
      {
        id: `callback_${order_id}`,
        path: "/done?for=me",
        host: `127.0.0.1:${receiver.port}`,
        body: await find(order_id),
        isVerified: true,
      },
    ]);
  });

  test("when it is cancelled, by whom ever", async () => {
    const receiver = createReceiver();
    const placed = await place(server, { callback_url: receiver.url() });
    expect(placed).toMatchObject({ status: "queued", callback_url: receiver.url() });
    const { order_id } = placed;
    await ask(`${server.customers}/order/${order_id}`, { method: "PATCH", json: { status: "cancelled" } });
    await until(() => receiver.got.length > 0, "it is posted");
    expect(receiver.got[0]?.body).toMatchObject({ order_id, status: "cancelled", reason: "customer" });
  });

  test("of a queue of machines, with its result", async () => {
    const receiver = createReceiver();
    const url = encodeURIComponent(receiver.url("/?a=b&c=d"));
    const headers = { Prefer: "respond-async" };
    const called = await ask(`${server.customers}/queue/thumbs/?callback_url=${url}`, {
      method: "POST",
      json: { big: "picture" },
      headers,
    });
    const { order_id } = expectOrder(called, { callback_url: receiver.url("/?a=b&c=d") }, 202);
    await start(server, "queue=thumbs");
    await applyVerb(server, "finish", order_id, "", { json: { thumb: "small" } });
    await until(() => receiver.got.length > 0, "it is posted");
    expect(receiver.got[0]?.body).toMatchObject({ order_id, queue: "thumbs", result: { thumb: "small" } });
    expect(receiver.got[0]?.path).toBe("/?a=b&c=d");
  });

  test("and no order that did not ask for it", async () => {
    const receiver = createReceiver();
    const quiet = await place(server, { note: "callback_url" });
    const loud = await place(server, { callback_url: receiver.url() });
    for (const _ of [quiet, loud]) await brew(server, "barista=Grace");
    await until(() => receiver.got.length > 0, "it is posted");
    expect(receiver.ids).toEqual([`callback_${loud.order_id}`]);
    await until(async () => (await readRule(server, "callbacks")).lag === 0, "all is settled");
    expect(receiver.got.length).toBe(1);
  });

  test("by GraphQL, too", async () => {
    const receiver = createReceiver();
    const create = (callbackUrl: string) =>
      ask(`${server.customers}/graphql`, {
        method: "POST",
        json: {
          query: "mutation ($url: String) { createOrder(callbackUrl: $url) { id callbackUrl } }",
          variables: { url: callbackUrl },
        },
      });
    const { data } = (await create(receiver.url())).body as { data: { createOrder: { id: string } } };
    expect(data.createOrder).toMatchObject({ callbackUrl: receiver.url() });
    await brew(server, "barista=Grace");
    await until(() => receiver.got.length > 0, "it is posted");
    expect(receiver.ids).toEqual([`callback_${data.createOrder.id}`]);
    const refused = (await create("ftp://hooks.test/")).body as { errors: { message: string }[] };
    expect(refused.errors[0]?.message).toContain("callbackUrl must begin with https://");
  });
});

/** An order request that would not be held. */
function tryOrder(ports: Pick<Server, "customers">, draft: object): Promise<Answer> {
  return order(ports, draft, { headers: { Prefer: "respond-async" } });
}

describe("a URL that is not taken is 422, and names the field", () => {
  const long = `https://hooks.test/${"x".repeat(2000)}`;
  test.each([
    ["https://user:word@hooks.test/", "without user name and password"],
    ["https://user@hooks.test/", "without user name and password"],
    ["ftp://hooks.test/", "must begin with https://"],
    ["javascript:alert(1)", "must begin with https://"],
    ["ws://hooks.test/", "must begin with https://"],
    ["https://elsewhere.test/", "must lead to a host that this server allows"],
    ["https://sub.hooks.test/", "must lead to a host that this server allows"],
    ["https://flows.test/", "must lead to a host that this server allows"],
    ["https://10.0.0.1/", "must not lead to an address inside a network"],
    ["https://[::ffff:10.0.0.1]/", "must not lead to an address inside a network"],
    ["https://localhost/", "must not lead to an address inside a network"],
    ["https://hooks.test/#part", "without a fragment"],
    ["hooks.test/done", "must be a URL"],
    ["https://hooks.test/a b", "must be a URL"],
    ["https://hooks.test/\n", "must be a URL"],
    ["", "callback_url must be"],
    [long, "at most 2000 characters"],
  ])("%s", async (url, words) => {
    const problem = expectProblem(await tryOrder(server, { callback_url: url }), 422, "callback_url");
    expect(problem.detail).toContain(words);
    const query = `callback_url=${encodeURIComponent(url)}`;
    const called = await ask(`${server.customers}/queue/thumbs/?${query}`, {
      method: "POST",
      json: 1,
      headers: { Prefer: "respond-async" },
    });
    expect(expectProblem(called, 422, "callback_url").detail).toContain(words);
  });

  test.each([[7], [null], [["https://hooks.test/"]], [{}]])("%p", async (url) => {
    expectProblem(await tryOrder(server, { callback_url: url }), 422, "callback_url");
  });

  test("as long as no host is allowed, all of them", async () => {
    const off = await startServer({ QUEUES: "thumbs" });
    const { detail } = expectProblem(await tryOrder(off, { callback_url: "https://hooks.test/" }), 422, "callback_url");
    expect(detail).toContain("is not taken here: the server has to allow it (CALLBACK_ALLOW)");
    await off.stop();
  });
});

test("the same key with another callback_url is another body; with the same one it is the same order", async () => {
  const receiver = createReceiver();
  const headers = { "Idempotency-Key": crypto.randomUUID() };
  const { order_id } = await place(server, { callback_url: receiver.url() }, { headers });
  expect((await place(server, { callback_url: receiver.url() }, { headers })).order_id).toBe(order_id);
  for (const draft of [{}, { callback_url: receiver.url("/other") }]) {
    expectRefusal(await order(server, draft, { headers }), 422, "idempotency_mismatch");
  }
  await applyVerb(server, "cancel", order_id);
  await until(() => receiver.got.length > 0, "it is posted");
});

describe("a receiver that fails", () => {
  test("gets it again, under the same id; one that is slow holds up no other", async () => {
    const { promise: patience, resolve: answerAll } = Promise.withResolvers<void>();
    const slow = createReceiver({
      answer: async () => {
        await patience;
        return new Response(null, { status: 200 });
      },
    });
    const failing = createReceiver({ answer: (_got, count) => new Response(null, { status: count < 3 ? 500 : 204 }) });
    const good = createReceiver();
    const orders: string[] = [];
    for (const receiver of [slow, slow, slow, failing, good]) {
      orders.push((await place(server, { callback_url: receiver.url() })).order_id);
    }
    for (const id of orders) await applyVerb(server, "cancel", id);
    await until(() => good.got.length === 1 && slow.got.length === 3, "the good one has its own");
    await until(() => failing.got.length === 3, "the failing one has it after all", 30_000);
    expect(failing.ids).toEqual([`callback_${orders[3]}`]);
    expect(failing.got.every(({ isVerified }) => isVerified)).toBe(true);
    answerAll();
    await until(async () => (await readRule(server, "callbacks")).lag === 0, "all is settled", 30_000);
    expect(new Set(slow.ids).size).toBe(3);
  });

  test("that wants no more makes a dead letter, of its order alone, which is replayed", async () => {
    let status = 410;
    const gone = createReceiver({ answer: () => new Response(null, { status }) });
    const good = createReceiver();
    const [first, second] = [
      await place(server, { callback_url: gone.url("/hook?key=hidden") }),
      await place(server, { callback_url: good.url() }),
    ];
    await applyVerb(server, "cancel", first.order_id);
    await until(async () => (await readRule(server, "callbacks")).dead === 1, "it is dead");
    await applyVerb(server, "cancel", second.order_id);
    await until(() => good.got.length === 1, "others are posted");
    const listed = await ask(`${server.baristas}/rules/callbacks/dead`);
    const { dead } = listed.body as { dead: { order_id: string; why: string }[] };
    expect(dead).toMatchObject([{ order_id: first.order_id, why: "it answered 410: it wants no more" }]);
    status = 204;
    expectStatus(await replay(server, "callbacks"), 202);
    await until(() => gone.got.length === 2, "it is posted again");
    expect(gone.ids).toEqual([`callback_${first.order_id}`]);
    expect(await readRule(server, "callbacks")).toMatchObject({ state: "on", dead: 0, target: { kind: "callback" } });
    expect(JSON.stringify(server.log())).not.toContain("hidden");
  });

  test("whose host is allowed no more gets nothing: a dead letter", async () => {
    const receiver = createReceiver();
    const shop = `strict-${crypto.randomUUID()}`;
    const before = await startServer({ ...SETTINGS, SHOP: shop });
    await untilOn(before, "callbacks");
    const { order_id } = await place(before, { callback_url: receiver.url() });
    await before.stop();
    const after = await startServer({ ...SETTINGS, SHOP: shop, CALLBACK_ALLOW: "hooks.test" });
    await applyVerb(after, "cancel", order_id);
    await until(async () => (await readRule(after, "callbacks")).dead === 1, "it is dead", 30_000);
    expect(receiver.got).toEqual([]);
    await after.stop();
  });
});

test("a replica that is killed while it delivers: each order is posted at least once, under one id, verified", async () => {
  const shop = `killed-${crypto.randomUUID()}`;
  const first = await startServer({ ...SETTINGS, SHOP: shop });
  await untilOn(first, "callbacks");
  const second = await startServer({ ...SETTINGS, SHOP: shop });
  let isKilled = false;
  const { promise: never } = Promise.withResolvers<Response>();
  const receiver = createReceiver({
    answer: async (_got, count) => (isKilled || count <= 3 ? new Response(null, { status: 204 }) : await never),
  });
  const ids: string[] = [];
  for (let count = 0; count < 12; count += 1) {
    ids.push((await place(second, { callback_url: receiver.url() })).order_id);
  }
  for (const id of ids) await applyVerb(second, "cancel", id);
  await until(() => receiver.got.length > 5, "it is in the middle");
  isKilled = true;
  await first.stop("SIGKILL");
  await until(() => receiver.ids.length === ids.length, "the other one goes on", 60_000);
  await until(async () => (await readRule(second, "callbacks")).lag === 0, "all is settled", 30_000);
  expect(receiver.ids.toSorted()).toEqual(ids.map((id) => `callback_${id}`).toSorted());
  expect(receiver.got.every(({ isVerified }) => isVerified)).toBe(true);
  await second.stop();
});

describe("settings", () => {
  test("a secret of a file, and two of them while one is changed", async () => {
    const [old, next] = [newSecret(), newSecret()];
    const file = writeText(`${next}\n${old}\n`);
    const own = await startServer({ ...ALLOWED, CALLBACK_SECRET_FILE: file });
    await untilOn(own, "callbacks");
    for (const secret of [old, next]) {
      const receiver = createReceiver({ secret });
      const { order_id } = await place(own, { callback_url: receiver.url() });
      await applyVerb(own, "cancel", order_id);
      await until(() => receiver.got.length === 1, "it is posted");
      expect(receiver.got[0]?.isVerified).toBe(true);
    }
    await own.stop();
  });

  const faults = [
    ["none", {}, "CALLBACK_SECRET: is missing: callbacks are signed by it, or by what CALLBACK_SECRET_FILE holds"],
    [
      "both",
      { CALLBACK_SECRET: SECRET, CALLBACK_SECRET_FILE: "x" },
      "CALLBACK_SECRET_FILE: leave it out, or CALLBACK_SECRET",
    ],
    ["faulty", { CALLBACK_SECRET: "whsec_c2hvcnQ=" }, "CALLBACK_SECRET: must be one or two secrets"],
    [
      "a missing file",
      { CALLBACK_SECRET_FILE: "/nowhere/secret" },
      "CALLBACK_SECRET_FILE: /nowhere/secret can't be read",
    ],
  ] as const;
  test.each(faults)("%s: it does not start, and shows no secret", async (_name, secrets, words) => {
    const { exitCode, output } = await startRefusedServer({ ...ALLOWED, ...secrets });
    expect(exitCode).toBe(2);
    expect(output).toContain(words);
    expect(output).not.toContain("c2hvcnQ");
    expect(output).not.toContain(SECRET);
  });
});
