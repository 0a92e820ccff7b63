/** A customer orders, waits, and gets one answer; or says how long they would wait, leaves, and comes back. */
import { beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import {
  ask,
  brew,
  exchange,
  expectOrder,
  expectProblem,
  lookAtQueue,
  order,
  place,
  start,
  applyVerb,
  untilHeld,
} from "../support/http.ts";
import { sharedRedis } from "../support/redis.ts";
import { startServer, type Server } from "../support/server.ts";
import { soon } from "../support/until.ts";

setDefaultTimeout(60_000);

let server: Server;

beforeAll(async () => {
  server = await startServer();
});

const orderUrl = (id: string, query = "") => `${server.customers}/order/${id}${query}`;

test("a customer waits, and gets one 200 when the barista is done", async () => {
  const waiting = order(server, { item: "flat_white", note: "heiß, bitte", customer_id: "c-1", customer_name: "Ada" });
  const brewing = await start(server, "barista=Grace&wait=10");
  expect(brewing).toMatchObject({ item: "flat_white", note: "heiß, bitte", customer_id: "c-1", customer_name: "Ada" });
  const finished = expectOrder(await applyVerb(server, "finish", brewing.order_id, "barista=Grace"));
  const got = expectOrder(await waiting);
  expect(got).toEqual(finished);
  expect(got).toEqual({
    order_id: brewing.order_id,
    number: 1,
    status: "ready",
    item: "flat_white",
    price: 380,
    note: "heiß, bitte",
    customer_id: "c-1",
    customer_name: "Ada",
    barista: "Grace",
    attempts: 1,
    placed_at: brewing.placed_at,
    started_at: brewing.started_at ?? "",
    finished_at: got.finished_at ?? "",
  });
});

test("without a body it is an americano; an empty body of any type is none", async () => {
  const json = { "Content-Type": "application/json" };
  for (const headers of [{}, json, { "Content-Type": "text/plain" }, { ...json, "Content-Length": "0" }]) {
    const placed = await place(server, undefined, { headers });
    expect(placed).toMatchObject({ item: "americano", status: "queued", attempts: 0 });
    expect(Object.keys(placed)).not.toContain("note");
    await brew(server);
  }
});

test.each([
  "application/json; charset=utf-8",
  "APPLICATION/JSON",
  "application/vnd.coffee+json",
  "application/json;charset=UTF-8;x=y",
])("a body of type %s is JSON", async (type) => {
  const headers = { "Content-Type": type, Prefer: "respond-async" };
  expectOrder(await order(server, undefined, { headers, body: '{"item":"latte"}' }), { item: "latte" }, 202);
  await brew(server);
});

test("a note may have 200 characters, of any width, and comes back as it was", async () => {
  for (const note of ["x".repeat(200), "é".repeat(200), "茶".repeat(200), "a\u0000b\r\n{}\"'", "😀".repeat(200)]) {
    const placed = await place(server, { note });
    expect((await brew(server)).note).toBe(note);
    expectOrder(await ask(orderUrl(placed.order_id)), { note });
  }
});

test.each([
  `"quoted" 'single' \`back\``,
  String.raw`back\slash \n \u0041 \\`,
  '"},{"status":"ready"',
  "a\u0000b\u0001\t\r\n\u001f\u007f",
  "Zoë 茶 قهوة 👩🏽‍🍳 \u2028\u2029",
  "</script> a/b 100% {}",
])("names and notes such as %j come back to all as they were", async (said) => {
  const names = { note: said, customer_id: said, customer_name: said };
  const waiting = order(server, names);
  const brewing = await start(server, `wait=10&barista=${encodeURIComponent(said)}`);
  expect(brewing).toMatchObject({ ...names, barista: said });
  expectProblem(await applyVerb(server, "finish", brewing.order_id, "barista=Ada"), 409);
  const finished = await applyVerb(server, "finish", brewing.order_id, `barista=${encodeURIComponent(said)}`);
  expectOrder(finished, { ...names, barista: said, status: "ready" });
  const got = await waiting;
  expectOrder(got, { ...names, barista: said, status: "ready" });
  expect(got.text).toBe(finished.text);
  const found = await ask(`${server.baristas}/order/?customer_id=${encodeURIComponent(said)}`);
  expect(found.body).toEqual({ orders: [finished.body], cursor: null });
});

test("a body of exactly 16 KB is taken", async () => {
  const headers = { "Content-Type": "application/json", Prefer: "respond-async" };
  const body = JSON.stringify({ item: "latte" }).padEnd(16 * 1024, " ");
  expectOrder(await order(server, undefined, { headers, body }), { item: "latte" }, 202);
  await brew(server);
});

test("Prefer: respond-async is answered at once, with where the order is", async () => {
  const answer = await order(server, { item: "latte" }, { headers: { Prefer: "respond-async" } });
  const { order_id } = expectOrder(answer, { status: "queued", position: 1 }, 202);
  expect(answer.headers.location).toBe(`/order/${order_id}`);
  expect(answer.headers["preference-applied"]).toBe("respond-async");
  await brew(server);
  expectOrder(await ask(orderUrl(order_id)), { status: "ready" });
});

test("Prefer: wait=1 is answered with 202 when it is over, and ?wait goes on for the coffee", async () => {
  const answer = await order(server, { item: "latte" }, { headers: { Prefer: "wait=1" } });
  const { order_id } = expectOrder(answer, { status: "queued" }, 202);
  expect(answer.headers["preference-applied"]).toBe("wait=1");
  expect(answer.headers.location).toBe(`/order/${order_id}`);
  const goingOn = ask(orderUrl(order_id, "?wait"));
  await untilHeld(server, 1);
  await brew(server);
  expectOrder(await goingOn, { order_id, status: "ready" });
});

test("Prefer: wait=N is answered with 200 when the coffee is ready before", async () => {
  for (const prefer of ["wait=60", "respond-async, wait=60", "WAIT=60; x=y, unheard-of", 'wait="60"']) {
    const waiting = order(server, {}, { headers: { Prefer: prefer } });
    await brew(server);
    const answer = await waiting;
    expectOrder(answer, { status: "ready" });
    expect(answer.headers["preference-applied"]).toBe("wait=60");
  }
});

test("preferences not known here are ignored", async () => {
  const waiting = order(server, {}, { headers: { Prefer: 'return=minimal, handling=strict, x="wait"' } });
  await untilHeld(server, 1);
  await brew(server);
  expectOrder(await waiting, { status: "ready" });
});

test("who looks gets the order as it is: queued, brewing, ready", async () => {
  const { order_id } = await place(server);
  expectOrder(await ask(orderUrl(order_id)), { status: "queued", position: 1 });
  expectOrder(await ask(orderUrl(order_id, "?wait=0")), { status: "queued" });
  expectOrder(await ask(orderUrl(order_id.toUpperCase())), { order_id, status: "queued" });
  await start(server);
  expectOrder(await ask(orderUrl(order_id)), { status: "brewing" });
  await applyVerb(server, "finish", order_id);
  for (const query of ["", "?wait", "?wait=60", "?wait=86400"]) {
    expectOrder(await ask(orderUrl(order_id, query)), { status: "ready" });
  }
});

test("who looks and waits gets it ready, or after N seconds as it is", async () => {
  const { order_id } = await place(server);
  expectOrder(await ask(orderUrl(order_id, "?wait=1")), { status: "queued" });
  const preferring = await ask(orderUrl(order_id), { headers: { Prefer: "wait=1" } });
  expectOrder(preferring, { status: "queued" });
  expect(preferring.headers["preference-applied"]).toBe("wait=1");

  const waiting = [
    ask(orderUrl(order_id, "?wait=60")),
    ask(orderUrl(order_id, "?wait=")),
    ask(orderUrl(order_id, "/?wait")),
    ask(orderUrl(order_id), { headers: { Prefer: "wait=60" } }),
  ];
  await untilHeld(server, 4);
  await brew(server);
  for (const answer of await Promise.all(waiting)) expectOrder(answer, { order_id, status: "ready" });
});

test("two requests with one Idempotency-Key are held on one order, and both get it", async () => {
  const headers = { "Idempotency-Key": "two devices" };
  const first = order(server, { item: "latte" }, { headers });
  await untilHeld(server, 1);
  const second = order(server, { item: "latte" }, { headers });
  await untilHeld(server, 2);
  expect(await lookAtQueue(server)).toMatchObject({ depth: 1, brewing: 0 });
  const { order_id } = await brew(server);
  for (const answer of [await first, await second]) expectOrder(answer, { order_id, status: "ready" });
  // Also once it is there.
  expectOrder(await order(server, { item: "latte" }, { headers }), { order_id, status: "ready" });
  expect(await lookAtQueue(server)).toMatchObject({ depth: 0, brewing: 0, held: 0 });
});

test("many requests at once with one Idempotency-Key are one order; defaults spelled out are the same body", async () => {
  const headers = { "Idempotency-Key": "all at once" };
  const drafts = [undefined, {}, { item: "americano" }, { item: "americano", note: "" }];
  const waiting = Array.from({ length: 20 }, (_, index) => order(server, drafts[index % drafts.length], { headers }));
  await untilHeld(server, 20);
  const { order_id } = await brew(server);
  for (const answer of await Promise.all(waiting)) expectOrder(answer, { order_id });
  expect(await lookAtQueue(server)).toMatchObject({ depth: 0, brewing: 0, held: 0 });
});

test("who asks again with the key of a coffee that is ready gets 200, however little they would wait", async () => {
  for (const prefer of ["wait=1", "wait=0", "respond-async"]) {
    const headers = { "Idempotency-Key": `again, ${prefer}`, Prefer: "respond-async" };
    const { order_id } = await place(server, {}, { headers });
    await brew(server);
    expectOrder(await order(server, {}, { headers: { ...headers, Prefer: prefer } }), { order_id, status: "ready" });
  }
});

test("who asks again for a coffee that was ready long ago gets it at once, though its bell is silent", async () => {
  const shop = `test-${crypto.randomUUID()}`;
  const own = await startServer({ SHOP: shop });
  const headers = { "Idempotency-Key": "long ago" };
  const first = order(own, {}, { headers });
  const { order_id } = await brew(own);
  expectOrder(await first, { order_id, status: "ready" });
  const client = (await sharedRedis()).connect();
  try {
    for (const again of [
      () => order(own, {}, { headers }),
      () => ask(`${own.customers}/order/${order_id}?wait`),
      () => order(own, {}, { headers: { ...headers, Prefer: "wait=60" } }),
    ]) {
      await client.del(`{${shop}}:bell:${order_id}`);
      expectOrder(await soon(again(), "they are answered"), { order_id, status: "ready" });
    }
  } finally {
    client.disconnect();
  }
});

test("a customer who hangs up frees the seat, and can come back for the coffee", async () => {
  const hangUp = new AbortController();
  const headers = { "Idempotency-Key": "hangs up" };
  const lost = order(server, { item: "mocha" }, { headers, signal: hangUp.signal });
  await untilHeld(server, 1);
  hangUp.abort();
  expect(await lost.catch(() => "hung up")).toBe("hung up");
  await untilHeld(server, 0);
  expect(await lookAtQueue(server)).toMatchObject({ depth: 1 });
  const back = order(server, { item: "mocha" }, { headers });
  await untilHeld(server, 1);
  const { order_id } = await brew(server);
  expectOrder(await back, { order_id, item: "mocha", status: "ready" });
  expectOrder(await ask(orderUrl(order_id, "?wait")), { status: "ready" });
});

test("limits are named: how many orders are left, under which policy", async () => {
  const first = await order(server, {}, { headers: { Prefer: "respond-async" } });
  const second = await order(server, {}, { headers: { Prefer: "respond-async" } });
  const left = [first, second].map(({ headers }) => {
    expect(headers["ratelimit-policy"]).toBe('"order";q=250;w=250');
    expect(headers["ratelimit"]).toMatch(/^"order";r=\d+;t=\d+$/);
    expect(headers["retry-after"]).toBeUndefined();
    return Number(/r=(\d+)/.exec(String(headers["ratelimit"]))?.[1]);
  });
  // One comes back each second: of the second order's nothing more can be said.
  for (const orders of left) expect(orders).toBeLessThan(250);
  const waiting = order(server);
  for (let made = 0; made < 3; made += 1) await brew(server);
  expect((await waiting).headers["ratelimit-policy"]).toBe('"order";q=250;w=250');
});

test("a body over 16 KB is refused, whether its length is announced or not, and queues nothing", async () => {
  const json = { "Content-Type": "application/json" };
  const body = JSON.stringify({ note: "x" }).padEnd(16 * 1024 + 1, " ");
  expectProblem(await order(server, undefined, { headers: json, body }), 413);
  const head =
    "POST /order/ HTTP/1.1\r\nHost: app\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
  const chunked = await exchange(server.customers, `${head}4000\r\n${body.slice(0, 0x4000)}\r\n1\r\n \r\n0\r\n\r\n`);
  expect(chunked).toStartWith("HTTP/1.1 413 ");
  expect(chunked).toContain("application/problem+json");
  // Nothing of a body without an end is waited for: it is refused once it is too long.
  expect(await exchange(server.customers, `${head}5000\r\n${" ".repeat(0x5000)}`)).toStartWith("HTTP/1.1 413 ");
  const cancelling = { method: "PATCH", headers: json, body };
  expectProblem(await ask(orderUrl("01938a5e-7c1b-7f3e-9a52-6f1d2c3b4a59"), cancelling), 413);
  expect(await lookAtQueue(server)).toMatchObject({ depth: 0, brewing: 0, held: 0 });
});
