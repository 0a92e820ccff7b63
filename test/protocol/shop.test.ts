/** The shop over HTTP, at two replicas: its settings, its admission, its code, and what staff hear of them. */
import { afterAll, beforeAll, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import type { Redis } from "ioredis";
import { EventClient } from "../events/client.ts";
import { ask, brew, expectOrder, expectProblem, lookAtQueue, order, place, type Answer } from "../support/http.ts";
import { sharedRedis } from "../support/redis.ts";
import { startServer, type Server } from "../support/server.ts";
import {
  changeShop,
  deleteCoffee,
  expectRefusal,
  expectReserved,
  FIRST_SETTINGS,
  patchShop,
  putCoffee,
  readCode,
  readShop,
} from "../support/shop.ts";

setDefaultTimeout(60_000);

const SHOP = `test-${crypto.randomUUID()}`;

let server: Server;
let other: Server;
let client: Redis;

beforeAll(async () => {
  [server, other] = await Promise.all([
    startServer({ SHOP, LIMIT_CAPACITY: "10000" }),
    startServer({ SHOP, LIMIT_CAPACITY: "10000", LEASE_SECONDS: "60", PUBLIC_URL: "https://coffee.test/" }),
  ]);
  client = (await sharedRedis()).connect();
  expect(await readShop(server)).toEqual({ ...FIRST_SETTINGS, open_orders: 0, lease_seconds: 900 });
});

beforeEach(() => changeShop(server, FIRST_SETTINGS));

afterAll(() => client.disconnect());

/** Ends the code's period, whatever the clock says; the next one is there for a day. */
async function nextCode(): Promise<string> {
  await changeShop(server, { code_period_seconds: 86_400 });
  await client.hset(`{${SHOP}}:code`, "ends_at", 1);
  return (await readCode(server)).code;
}

/** An order that is not waited for, in case it gets in. */
const knock = (ports: Server, draft: object): Promise<Answer> =>
  order(ports, draft, { headers: { Prefer: "respond-async" } });

function expectPort(refused: Answer, name: string): void {
  expectRefusal(refused, 503, name);
  expect(refused.headers["retry-after"]).toMatch(/^[1-9]\d*$/);
}

test.each([
  ["an unknown setting", '{"colour":"red"}', "colour"],
  ["a known and an unknown one", '{"open":false,"colour":"red"}', "colour"],
  ["what is not for setting", '{"open_orders":0}', "open_orders"],
  ["the lease", '{"lease_seconds":1}', "lease_seconds"],
  ["what is kept beside the settings", '{"has_menu":false}', "has_menu"],
  ["__proto__", '{"__proto__":{"open":false}}', "__proto__"],
  ["open as text", '{"open":"yes"}', "open"],
  ["open null", '{"open":null}', "open"],
  ["a negative capacity", '{"capacity":-1}', "capacity"],
  ["a negative capacity and something right", '{"open":false,"capacity":-1}', "capacity"],
  ["half a capacity", '{"capacity":1.5}', "capacity"],
  ["a capacity as text", '{"capacity":"20"}', "capacity"],
  ["a huge capacity", '{"capacity":1000001}', "capacity"],
  ["no drinks a code", '{"drinks_per_code":0}', "drinks_per_code"],
  ["any number of drinks a code", '{"drinks_per_code":null}', "drinks_per_code"],
  ["a short period", '{"code_period_seconds":4}', "code_period_seconds"],
  ["a period of more than a day", '{"code_period_seconds":86401}', "code_period_seconds"],
  ["no orders a customer", '{"max_open_per_customer":0}', "max_open_per_customer"],
  ["no time to choose", '{"customer_timeout_seconds":0}', "customer_timeout_seconds"],
  ["require_code as a number", '{"require_code":1}', "require_code"],
  ["a list", "[]", "body"],
  ["null", "null", "body"],
  ["nothing at all", "", "body"],
])("PATCH /shop with %s names what is wrong, and nothing changes", async (_what, body, field) => {
  const before = await readShop(other);
  const headers = { "Content-Type": "application/json" };
  expectProblem(await ask(`${server.baristas}/shop`, { method: "PATCH", headers, body }), 422, field);
  expect(await readShop(other)).toEqual(before);
});

test("PATCH /shop that is no JSON, of another type, or too large changes nothing", async () => {
  const before = await readShop(other);
  const send = (body: string, type = "application/json") =>
    ask(`${server.baristas}/shop`, { method: "PATCH", headers: { "Content-Type": type }, body });
  expectRefusal(await send('{"open":false'), 400, "malformed_json");
  expectRefusal(await send('{"open":false}', "text/plain"), 415, "not_json");
  expectRefusal(await send('{"open":false}'.padEnd(16_385)), 413, "body_too_large");
  expect(await readShop(other)).toEqual(before);
});

test("a change is in force on the other replica at once, and leaves alone what it does not name", async () => {
  for (const change of [{ capacity: 20, require_code: true }, { drinks_per_code: 7 }, {}, { capacity: null }]) {
    const before = await readShop(other);
    const { body } = await patchShop(server, change);
    expect(body).toEqual({ ...before, ...change, lease_seconds: 900 });
    expect(await readShop(other)).toEqual({ ...before, ...change });
  }
});

test("closed: none order, those who are in are served, and customers see it", async () => {
  const { order_id } = await place(other, {});
  await changeShop(server, { open: false });
  expectPort(await knock(other, {}), "shop_closed");
  expect((await ask(`${other.customers}/shop`)).body).toMatchObject({ open: false, full: false, queue_length: 1 });
  expect(await brew(other)).toMatchObject({ order_id });
  await changeShop(server, { open: true });
  expect((await ask(`${other.customers}/shop`)).body).toMatchObject({ open: true, full: false, queue_length: 0 });
  expectOrder(await knock(other, {}), { status: "queued" }, 202);
  await brew(server);
});

test("full: as many orders are in as may, reserved and brewing ones too, until one is over; customers see it", async () => {
  const { order_id } = await expectReserved(server, { code: await nextCode() });
  await place(server);
  expectOrder(await ask(`${server.baristas}/start/`), { status: "brewing" });
  await changeShop(server, { capacity: 3 });
  const third = await place(other);
  expectPort(await knock(other, {}), "shop_full");
  expect((await ask(`${server.customers}/shop`)).body).toMatchObject({ open: true, full: true });
  const cancel = (id: string) => ask(`${server.baristas}/cancel/?order_id=${id}`, { method: "POST" });
  expectOrder(await cancel(order_id), { status: "cancelled" });
  expect((await ask(`${server.customers}/shop`)).body).toMatchObject({ full: false });
  const fourth = await place(other);
  expectPort(await knock(server, {}), "shop_full");
  await changeShop(server, { capacity: null });
  for (const placed of [third, fourth]) expectOrder(await cancel(placed.order_id), { status: "cancelled" });
  const found = await ask(`${server.baristas}/order/?status=brewing`);
  for (const { order_id: id } of (found.body as { orders: { order_id: string }[] }).orders) await cancel(id);
  expect(await readShop(server)).toMatchObject({ open_orders: 0 });
});

test("who has ordered already joins their order by its key, though the shop is closed", async () => {
  const headers = { "Idempotency-Key": "before", Prefer: "respond-async" };
  const { order_id } = await place(server, { item: "latte" }, { headers });
  await changeShop(server, { open: false, require_code: true });
  expectOrder(await order(other, { item: "latte" }, { headers }), { order_id }, 202);
  expectRefusal(await order(other, { item: "mocha" }, { headers }), 422, "idempotency_mismatch");
  await brew(server);
});

test("with codes required an order is asked for one, and spends it only when it gets in", async () => {
  const old = await nextCode();
  await changeShop(server, { require_code: true, drinks_per_code: 1, code_period_seconds: 86_400 });
  const code = await nextCode();
  expectRefusal(await knock(other, {}), 403, "code_required");
  for (const wrong of [old, "WRONG", code.slice(1)]) expectProblem(await knock(other, { code: wrong }), 422, "code");
  expectProblem(await knock(other, { code, item: "tea" }), 422, "item");
  expectProblem(await knock(other, { code, item: "latte", modifiers: { milk: "goat" } }), 422, "modifiers.milk");
  await changeShop(server, { capacity: 0 });
  expectPort(await knock(other, { code }), "shop_full");
  expect(await readCode(server)).toMatchObject({ code, remaining: 1 });
  expect(await lookAtQueue(server)).toMatchObject({ depth: 0 });

  await changeShop(server, { capacity: null });
  const placed = expectOrder(await knock(other, { code, item: "latte" }), { item: "latte", price: 400 }, 202);
  expect(Object.keys(placed)).not.toContain("code");
  expect(await readCode(server)).toMatchObject({ code, remaining: 0 });
  expectRefusal(await knock(server, { code }), 409, "code_used_up");
  expect(await brew(server)).toMatchObject({ order_id: placed.order_id });
});

test("the code is one on both replicas, with a picture of where it leads; the next period brings another", async () => {
  const first = await nextCode();
  const [here, there] = [await readCode(server), await readCode(other)];
  expect((await ask(`${server.baristas}/code/`)).body).toEqual(here);
  expect([here.code, there.code]).toEqual([first, first]);
  expect(first).toMatch(/^[0-9A-HJKMNP-TV-Z]{12}$/);
  expect(there).toMatchObject({ remaining: 10, url: `https://coffee.test/?code=${first}` });
  expect(here.url).toEndWith(`:${new URL(server.customers).port}/?code=${first}`);
  expect(here.changes_at).toBe(there.changes_at);
  expect(Date.parse(here.changes_at)).toBeGreaterThan(Date.now());
  for (const { qr_svg } of [here, there]) expect(qr_svg).toMatch(/^<svg [^]*<\/svg>$/);
  expect(here.qr_svg).not.toBe(there.qr_svg);
  expect(await nextCode()).not.toBe(first);
});

test("staff hear of each change of the shop and its menu, once, and of whom it refuses, and why", async () => {
  const listener = await EventClient.open(`${other.baristas}/events?type=shop.changed,shop.refused,menu.changed`);
  const chai = { name: "Chai", description: "", price: 350, available: true, modifiers: [], icon: "" };
  await changeShop(server, { capacity: 0 });
  await changeShop(server, { capacity: 0 });
  expectProblem(await patchShop(server, { capacity: -1 }), 422);
  await knock(server, {});
  await changeShop(server, { open: false });
  await knock(server, {});
  await putCoffee(server, "chai", chai);
  await putCoffee(server, "chai", chai);
  await deleteCoffee(server, "chai");
  await deleteCoffee(server, "chai");
  await changeShop(server, { open: true });
  await listener.untilHeard(7);
  listener.hangUp();
  const settings = (change: object) => ({ ...FIRST_SETTINGS, ...change });
  expect(listener.events.map(({ type, data }) => ({ [type]: data }))).toEqual([
    { "shop.changed": settings({ capacity: 0 }) },
    { "shop.refused": { reason: "full", count: 1 } },
    { "shop.changed": settings({ capacity: 0, open: false }) },
    { "shop.refused": { reason: "closed", count: 1 } },
    { "menu.changed": { id: "chai" } },
    { "menu.changed": { id: "chai" } },
    { "shop.changed": settings({ capacity: 0 }) },
  ]);
});
