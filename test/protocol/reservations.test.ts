/** A code is redeemed, a drink is chosen, or not in time: reservations over HTTP, at two replicas of one shop. */
import { afterAll, beforeAll, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import type { Redis } from "ioredis";
import { EventClient } from "../events/client.ts";
import {
  ask,
  brew,
  cancelByCustomer,
  expectOrder,
  expectProblem,
  lookAtQueue,
  order,
  place,
  applyVerb,
  untilHeld,
  type Answer,
  type WireOrder,
} from "../support/http.ts";
import { sharedRedis } from "../support/redis.ts";
import { startServer, type Server } from "../support/server.ts";
import {
  changeShop,
  choose,
  expectRefusal,
  expectReserved,
  FIRST_SETTINGS,
  readCode,
  readShop,
  reserve,
} from "../support/shop.ts";

setDefaultTimeout(60_000);

const SHOP = `test-${crypto.randomUUID()}`;
const SETTINGS = { ...FIRST_SETTINGS, code_period_seconds: 86_400 };

let server: Server;
let other: Server;
let client: Redis;
/** A new one for each test, good for 10 drinks. */
let code: string;

beforeAll(async () => {
  const environment = { SHOP, LIMIT_CAPACITY: "10000" };
  [server, other] = await Promise.all([startServer(environment), startServer(environment)]);
  client = (await sharedRedis()).connect();
});

beforeEach(async () => {
  await changeShop(server, SETTINGS);
  code = await nextCode();
});

afterAll(() => client.disconnect());

/** Ends the code's period, whatever the clock says, and returns the next one. */
async function nextCode(): Promise<string> {
  await client.hset(`{${SHOP}}:code`, "ends_at", 1);
  return (await readCode(server)).code;
}

const remaining = async () => (await readCode(other)).remaining;
const look = (orderId: string) => ask(`${other.customers}/order/${orderId}`);
/** Starts and finishes that order. */
const make = (orderId: string) => brew(server, `order_id=${orderId}`);
const untilFinal = ({ order_id }: WireOrder) => ask(`${server.customers}/order/${order_id}?wait`);

function expectConflict(answer: Answer, status: WireOrder["status"]): void {
  expectRefusal(answer, 409, "order_conflict");
  expect(expectProblem(answer, 409).order_status).toBe(status);
}

test("a code is redeemed for a reservation, which is no work yet; the choice queues it, and its customer gets it", async () => {
  const { open_orders } = await readShop(server);
  const staff = await EventClient.open(`${other.baristas}/events?type=order.reserved,order.placed`);
  const answer = await reserve(server, { code, customer_id: "c-1", customer_name: "Ada" });
  const reserved = expectOrder(answer, { status: "reserved", customer_id: "c-1", customer_name: "Ada" }, 201);
  expect(answer.headers.location).toBe(`/order/${reserved.order_id}`);
  expect(await remaining()).toBe(9);
  expect(await readShop(other)).toMatchObject({ open_orders: Number(open_orders) + 1 });
  expect(await lookAtQueue(other)).toMatchObject({ depth: 0, brewing: 0 });
  expectRefusal(await ask(`${other.baristas}/start/`), 404, "queue_empty");
  for (const port of ["customers", "baristas"] as const) {
    expect(expectOrder(await ask(`${other[port]}/order/${reserved.order_id}`))).toEqual(reserved);
  }
  const found = await ask(`${other.baristas}/order/?status=reserved&customer_id=c-1`);
  expect(found.body).toEqual({ orders: [reserved], cursor: null });

  const waiting = untilFinal(reserved);
  await untilHeld(server, 1);
  const listener = await EventClient.open(`${other.customers}/order/${reserved.order_id}/events`);
  const wanted = { item: "latte", modifiers: { milk: "oat" }, note: "hot", customer_name: "Grace" };
  const queued = expectOrder(await choose(other, reserved.order_id, wanted), { ...wanted, status: "queued" });
  expect(queued).toMatchObject({ price: 400, customer_id: "c-1" });
  expect(expectOrder(await look(reserved.order_id))).toMatchObject({ number: queued.number, position: 1 });
  expect(await remaining()).toBe(9);
  const made = await make(reserved.order_id);
  expect(made).toMatchObject({ ...wanted, order_id: reserved.order_id, number: queued.number });
  expect(expectOrder(await waiting)).toEqual(made);
  expect(await listener.untilOver()).toBe("ended");
  expect(listener.types).toEqual(["order.placed", "order.started", "order.finished"]);
  await staff.untilHeard(2);
  staff.hangUp();
  expect(staff.types).toEqual(["order.reserved", "order.placed"]);
});

test("baristas can't start, finish, release or extend a reservation, but they can cancel it", async () => {
  const { order_id } = await expectReserved(server, { code });
  expectConflict(await ask(`${other.baristas}/start/?order_id=${order_id}`), "reserved");
  for (const verb of ["finish", "release", "extend"] as const)
    expectConflict(await applyVerb(other, verb, order_id), "reserved");
  expectOrder(await applyVerb(other, "cancel", order_id), { status: "cancelled", reason: "barista" });
  expect(await remaining()).toBe(10);
});

test("without a body the choice is an americano, of which nothing is said", async () => {
  const { order_id } = await expectReserved(server, { code });
  const chosen = await ask(`${server.customers}/order/${order_id}`, { method: "PUT" });
  expectOrder(chosen, { item: "americano", price: 300, status: "queued" });
  await make(order_id);
});

test("the same choice again answers the order as it is, another one is refused", async () => {
  const { order_id } = await expectReserved(server, { code });
  const { number } = expectOrder(await choose(server, order_id, { item: "latte" }), { status: "queued" });
  for (const status of ["queued", "ready"] as const) {
    if (status === "ready") await make(order_id);
    expectOrder(await choose(other, order_id, { item: "latte", note: "", modifiers: {} }), { number, status });
    expectConflict(await choose(other, order_id, { item: "mocha" }), status);
    expectConflict(await choose(other, order_id, { item: "latte", note: "hot" }), status);
  }
});

test("of many choices at once on two replicas one is made, and all who made it learn so", async () => {
  const { order_id } = await expectReserved(server, { code });
  const items = Array.from({ length: 20 }, (_, at) => (at % 2 === 0 ? "latte" : "mocha"));
  const answers = await Promise.all(
    items.map((item, at) =>
      choose(at % 3 === 0 ? server : other, order_id, { item }).then((answer) => ({ item, answer })),
    ),
  );
  const { item: made, number } = expectOrder(await look(order_id), { status: "queued" });
  for (const { item, answer } of answers) {
    if (item === made) expectOrder(answer, { item, number });
    else expectConflict(answer, "queued");
  }
  await make(order_id);
});

test("a choice is answered as soon as it is queued: ?wait and Prefer are for those who wait", async () => {
  for (const [query, headers] of [
    ["?wait=1", {}],
    ["", { Prefer: "wait=1" }],
    ["", { Prefer: "respond-async" }],
  ] as const) {
    const { order_id } = await expectReserved(server, { code });
    const url = `${server.customers}/order/${order_id}${query}`;
    expectOrder(await ask(url, { method: "PUT", json: { item: "latte" }, headers }), { status: "queued" });
    await make(order_id);
  }
});

test("what is no reservation can't be chosen for", async () => {
  const { order_id } = await place(server, { item: "latte" });
  expectConflict(await choose(server, order_id, { item: "latte" }), "queued");
  expectOrder(await applyVerb(server, "cancel", order_id));
  expectRefusal(await choose(server, "01938a5e-7c1b-7f3e-9a52-6f1d2c3b4a59", {}), 404, "order_unknown");
  expectProblem(await choose(server, "abc", {}), 422, "id");
});

test("a reservation whose time is over is cancelled, who waits is notified, and the drink is given back", async () => {
  await changeShop(server, { customer_timeout_seconds: 1 });
  const reserved = await expectReserved(server, { code });
  expectOrder(await untilFinal(reserved), { status: "cancelled", reason: "customer_timeout", attempts: 0 });
  expect(await remaining()).toBe(10);
  expectConflict(await choose(other, reserved.order_id, { item: "latte" }), "cancelled");
  expect(await lookAtQueue(server)).toMatchObject({ depth: 0, brewing: 0 });
});

test("a reservation that its customer cancels gives the drink back, once", async () => {
  const reserved = await expectReserved(server, { code });
  const waiting = untilFinal(reserved);
  await untilHeld(server, 1);
  const cancelled = expectOrder(await cancelByCustomer(other, reserved.order_id), { reason: "customer" });
  expect(expectOrder(await waiting)).toEqual(cancelled);
  expectOrder(await cancelByCustomer(server, reserved.order_id), { reason: "customer" });
  expectConflict(await choose(other, reserved.order_id, { item: "latte" }), "cancelled");
  expect(await remaining()).toBe(10);
});

test("a drink is not given back to the next code, neither after a cancellation nor after a timeout", async () => {
  const cancelled = await expectReserved(server, { code });
  await changeShop(server, { customer_timeout_seconds: 1 });
  const forgotten = await expectReserved(server, { code });
  await nextCode();
  expectOrder(await cancelByCustomer(server, cancelled.order_id), { status: "cancelled" });
  expectOrder(await untilFinal(forgotten), { reason: "customer_timeout" });
  expect(await remaining()).toBe(10);
});

test("an order that was chosen, and cancelled then, gives no drink back: it was redeemed", async () => {
  const { order_id } = await expectReserved(server, { code });
  expectOrder(await choose(server, order_id, { item: "latte" }));
  expectOrder(await cancelByCustomer(server, order_id), { status: "cancelled" });
  expect(await remaining()).toBe(9);
});

test("a wrong code and an old one are refused, and so is one that is used up", async () => {
  const old = code;
  await changeShop(server, { drinks_per_code: 1 });
  code = await nextCode();
  for (const wrong of [old, "WRONG", code.slice(1), `${code}0`, ` ${code}`]) {
    expectRefusal(await reserve(server, { code: wrong }), 422, "invalid_input");
    expectProblem(await reserve(other, { code: wrong }), 422, "code");
  }
  expect(await remaining()).toBe(1);
  const { order_id } = await expectReserved(server, { code });
  expectRefusal(await reserve(other, { code }), 409, "code_used_up");
  expectOrder(await cancelByCustomer(server, order_id));
  expectOrder(await cancelByCustomer(server, (await expectReserved(other, { code })).order_id));
});

test("closed or full, none reserve, and no code is spent; who has reserved is served", async () => {
  const { order_id } = await expectReserved(server, { code });
  const { open_orders } = await readShop(server);
  for (const [settings, name] of [
    [{ open: false }, "shop_closed"],
    [{ open: true, capacity: open_orders }, "shop_full"],
  ] as const) {
    await changeShop(server, settings);
    // Also with a code that is none: the shop's state comes first.
    for (const wanted of [{ code }, { code: "WRONG" }]) {
      const refused = await reserve(other, wanted);
      expectRefusal(refused, 503, name);
      expect(refused.headers["retry-after"]).toMatch(/^[1-9]\d*$/);
    }
    expect(await remaining()).toBe(9);
  }
  await changeShop(server, { open: false });
  expectOrder(await choose(other, order_id, { item: "latte" }), { status: "queued" });
  await make(order_id);
});

test("one customer has at most so many open orders, reserved or placed, and spends nothing on more", async () => {
  await changeShop(server, { max_open_per_customer: 2 });
  const customer_id = "c-2";
  const reserved = await expectReserved(server, { code, customer_id });
  const placed = await place(other, { customer_id });
  expectRefusal(await reserve(other, { code, customer_id }), 409, "too_many_open");
  const knocking = { headers: { Prefer: "respond-async" } };
  expectRefusal(await order(server, { customer_id }, knocking), 409, "too_many_open");
  expect(await remaining()).toBe(9);
  const others = await expectReserved(server, { code, customer_id: "c-3" });
  expectOrder(await cancelByCustomer(server, reserved.order_id));
  const next = await expectReserved(other, { code, customer_id });
  for (const { order_id } of [placed, others, next]) expectOrder(await applyVerb(server, "cancel", order_id));
});

test("the same Idempotency-Key gets the same reservation, on either replica, as it is now, and spends one drink", async () => {
  const headers = { "Idempotency-Key": crypto.randomUUID() };
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, at) =>
      reserve(at % 2 === 0 ? server : other, { code, customer_id: "c-4" }, headers),
    ),
  );
  const ids = answers.map((answer) => expectOrder(answer, { status: "reserved" }, 201).order_id);
  expect(new Set(ids).size).toBe(1);
  expect(await remaining()).toBe(9);
  for (const body of [{ code }, { code, customer_id: "c-5" }, { code: "WRONG", customer_id: "c-4" }]) {
    expectRefusal(await reserve(other, body, headers), 422, "idempotency_mismatch");
  }
  expectOrder(await choose(server, ids[0] ?? "", { item: "latte" }));
  await changeShop(server, { open: false });
  const again = await reserve(other, { code, customer_id: "c-4" }, headers);
  expectOrder(again, { order_id: ids[0] ?? "", status: "queued" }, 201);
  expect(again.headers.location).toBe(`/order/${ids[0]}`);
  await make(ids[0] ?? "");
});

test("a key that has reserved an order does not place one, nor the other way round", async () => {
  const [first, second] = [{ "Idempotency-Key": "scan-2" }, { "Idempotency-Key": "scan-3" }];
  const reserved = await expectReserved(server, { code }, first);
  const knocking = { headers: { ...first, Prefer: "respond-async" } };
  expectRefusal(await order(server, { code }, knocking), 422, "idempotency_mismatch");
  const placed = await place(server, { code }, { headers: second });
  expectRefusal(await reserve(server, { code }, second), 422, "idempotency_mismatch");
  expect(await remaining()).toBe(9);
  for (const { order_id } of [reserved, placed]) expectOrder(await applyVerb(server, "cancel", order_id));
});

test.each([
  ["no code", "{}", "code"],
  ["an empty code", '{"code":""}', "code"],
  ["a code that is a number", '{"code":1}', "code"],
  ["a code of 65 characters", JSON.stringify({ code: "x".repeat(65) }), "code"],
  ["half a character as code", '{"code":"\\ud83d"}', "code"],
  ["an item", '{"code":"CODE","item":"latte"}', "item"],
  ["a price", '{"code":"CODE","price":1}', "price"],
  ["an empty customer_id", '{"code":"CODE","customer_id":""}', "customer_id"],
  ["half a customer_id", '{"code":"CODE","customer_id":"\\ud83d"}', "customer_id"],
  ["a long customer_name", JSON.stringify({ code: "CODE", customer_name: "x".repeat(101) }), "customer_name"],
  ["half a customer_name", '{"code":"CODE","customer_name":"\\ud83d"}', "customer_name"],
  ["__proto__", '{"code":"CODE","__proto__":{}}', "__proto__"],
  ["a list", '["CODE"]', "body"],
  ["nothing at all", "", "body"],
])("a reservation with or as %s is refused, naming the field, and costs nothing", async (_what, body, field) => {
  const { open_orders } = await readShop(server);
  const headers = { "Content-Type": "application/json" };
  const sent = body.replace("CODE", code);
  expectProblem(await ask(`${server.customers}/reservation`, { method: "POST", headers, body: sent }), 422, field);
  expect(await remaining()).toBe(10);
  expect(await readShop(server)).toMatchObject({ open_orders });
});

test("a reservation that is no JSON, of another type, too large, or with a wrong key is refused", async () => {
  const post = (body: string, headers = {}) =>
    ask(`${server.customers}/reservation`, {
      method: "POST",
      headers: { "Content-Type": "application/json", ...headers },
      body,
    });
  const body = JSON.stringify({ code });
  expectRefusal(await post('{"code":'), 400, "malformed_json");
  expectRefusal(await post(body, { "Content-Type": "text/plain" }), 415, "not_json");
  expectRefusal(await post(body.padEnd(16_385)), 413, "body_too_large");
  expectProblem(await post(body, { "Idempotency-Key": "" }), 422, "Idempotency-Key");
  expect(await remaining()).toBe(10);
});

test("an address that reserves too fast learns when to come back, and its code is not spent", async () => {
  const strict = await startServer({ LIMIT_CAPACITY: "1", LIMIT_REFILL_PER_SECOND: "0.001" });
  await changeShop(strict, { code_period_seconds: 86_400 });
  const wanted = { code: (await readCode(strict)).code };
  const first = await reserve(strict, wanted);
  expectOrder(first, { status: "reserved" }, 201);
  expect(first.headers["ratelimit"]).toMatch(/^"order";r=0;t=\d+$/);
  const refused = await reserve(strict, wanted);
  expectRefusal(refused, 429, "too_many_orders");
  expect(refused.headers["retry-after"]).toMatch(/^[1-9]\d*$/);
  expect((await readCode(strict)).remaining).toBe(9);
  await strict.stop();
});
