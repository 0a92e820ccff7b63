/**
 * Idempotency-Keys: whose a key is, and when it counts alone. Strangers who choose the same short one share nothing.
 */
import { beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { createClient } from "../../src/client/index.ts";
import {
  ask,
  cancelByCustomer,
  expectOrder,
  order,
  place,
  applyVerb,
  untilHeld,
  type WireOrder,
} from "../support/http.ts";
import { sharedRedis } from "../support/redis.ts";
import { startServer, type Server } from "../support/server.ts";
import { changeShop, expectRefusal, expectReserved, readCode } from "../support/shop.ts";

setDefaultTimeout(60_000);

const shop = `test-${crypto.randomUUID()}`;
const [HERE, NEXT_DOOR, ELSEWHERE] = ["127.0.0.2", "127.0.0.3", "127.0.9.2"];

let server: Server;
beforeAll(async () => {
  server = await startServer({ SHOP: shop, TRUSTED_PROXIES: "127.0.0.1" });
});

const key = (text: string): Record<string, string> => ({ "Idempotency-Key": text });

/** Places an order under that key, from an address of this machine, or of anywhere as a trusted proxy says. */
async function placeFrom(address: string, text: string, draft: object = {}): Promise<string> {
  const isOurs = address.startsWith("127.");
  const headers = { ...key(text), ...(isOurs ? undefined : { "X-Forwarded-For": address }) };
  return (await place(server, draft, { headers, localAddress: isOurs ? address : "127.0.0.1" })).order_id;
}

test("two strangers who choose the same short key have an order each; from one address block it is one", async () => {
  const mine = await placeFrom(HERE, "1");
  expect(await placeFrom(ELSEWHERE, "1")).not.toBe(mine);
  expect(await placeFrom(HERE, "1")).toBe(mine);
  expect(await placeFrom(NEXT_DOOR, "1")).toBe(mine);
  expect(await placeFrom(HERE, "2")).not.toBe(mine);
});

test("a block of IPv6 is a /48", async () => {
  const mine = await placeFrom("2001:db8:1:2::3", "6");
  expect(await placeFrom("2001:db8:1:ffff::1", "6")).toBe(mine);
  expect(await placeFrom("2001:db8:2:2::3", "6")).not.toBe(mine);
});

test("a customer who gives their id has their keys to themselves, and wherever they are", async () => {
  const draft = { customer_id: "ada" };
  const ada = await placeFrom(HERE, "breakfast", draft);
  expect(await placeFrom(ELSEWHERE, "breakfast", draft)).toBe(ada);
  expect(await placeFrom(HERE, "breakfast", { customer_id: "grace" })).not.toBe(ada);
  expect(await placeFrom(HERE, "breakfast")).not.toBe(ada);
  // An id that looks like a block is an id all the same.
  const block = await placeFrom("192.0.2.7", "lunch");
  expect(await placeFrom("192.0.2.7", "lunch", { customer_id: "block 192.0.2.0/24" })).not.toBe(block);
});

test.each([
  ["a UUID", crypto.randomUUID()],
  ["a UUID of version 7", Bun.randomUUIDv7()],
  ["a UUID in capitals", crypto.randomUUID().toUpperCase()],
  ["32 hex digits, as nginx makes them", crypto.randomUUID().replaceAll("-", "")],
])("%s counts alone: it is one order from everywhere", async (_, text) => {
  const first = await placeFrom(HERE, text);
  expect(await placeFrom(ELSEWHERE, text)).toBe(first);
});

test.each([
  ["32 times the same letter", "a".repeat(32)],
  ["the nil UUID", "00000000-0000-0000-0000-000000000000"],
  ["a UUID made by hand", "11111111-2222-3333-4444-555555555555"],
  ["a UUID with something behind it", `${crypto.randomUUID()}!`],
  ["255 characters", "long ".repeat(51)],
])("%s does not count alone", async (_, text) => {
  const first = await placeFrom(HERE, text);
  expect(await placeFrom(ELSEWHERE, text)).not.toBe(first);
  expect(await placeFrom(HERE, text)).toBe(first);
});

test("keys take the same room in Redis however long they are", async () => {
  await placeFrom(HERE, "k".repeat(255));
  await placeFrom(HERE, "k".repeat(255), { customer_id: "☕".repeat(64) });
  const client = (await sharedRedis()).connect();
  const names = await client.keys(`{${shop}}:once:*`);
  client.disconnect();
  expect(names.length).toBeGreaterThan(0);
  for (const name of names) expect(name.length - `{${shop}}:once:`.length).toBeLessThanOrEqual(43);
});

test("another's short key pays for nothing", async () => {
  const strict = await startServer({ LIMIT_CAPACITY: "1", LIMIT_REFILL_PER_SECOND: "0.001" });
  const from = (localAddress: string, text: string) =>
    order(strict, {}, { localAddress, headers: { ...key(text), Prefer: "respond-async" } });
  const paid = expectOrder(await from(HERE, "1"), {}, 202);
  expectOrder(await from(ELSEWHERE, "mine"), {}, 202);
  expectRefusal(await from(ELSEWHERE, "1"), 429, "too_many_orders");
  // The one who paid comes back for it.
  expectOrder(await from(HERE, "1"), { order_id: paid.order_id }, 202);
  await strict.stop();
});

test("a code is redeemed under a customer's own key, and a key that reserved does not place", async () => {
  const own = await startServer();
  await changeShop(own, { drinks_per_code: 3 });
  const { code } = await readCode(own);
  const ada = await expectReserved(own, { code, customer_id: "ada" }, key("scan"));
  const grace = await expectReserved(own, { code, customer_id: "grace" }, key("scan"));
  expect(grace.order_id).not.toBe(ada.order_id);
  const again = await expectReserved(own, { code, customer_id: "ada" }, key("scan"));
  expect(again.order_id).toBe(ada.order_id);
  expectRefusal(await order(own, { customer_id: "ada" }, { headers: key("scan") }), 422, "idempotency_mismatch");
  expect(await readCode(own)).toMatchObject({ remaining: 1 });
  await own.stop();
});

test("baristas who choose the same short key get an order each; each gets their own again", async () => {
  const own = await startServer();
  const placed = [await place(own), await place(own)];
  const take = async (barista: string) =>
    expectOrder(await ask(`${own.baristas}/start/?barista=${barista}`, { headers: key("1") }), { barista }).order_id;
  expect([await take("Grace"), await take("Ada")]).toEqual(placed.map(({ order_id }) => order_id));
  expect([await take("Grace"), await take("Ada")]).toEqual(placed.map(({ order_id }) => order_id));
  for (const { order_id } of placed) expectOrder(await applyVerb(own, "finish", order_id), { status: "ready" });
  await own.stop();
});

test("the client's own keys are UUIDs", async () => {
  const keys: (string | null)[] = [];
  const client = createClient({
    url: server.customers,
    fetch: (url, init) => {
      keys.push(new Headers(init.headers).get("idempotency-key"));
      return fetch(url, init);
    },
  });
  const waiting = [client.order({ note: "one" }), client.order({ note: "two" })];
  await untilHeld(server, 2);
  const page = await ask(`${server.baristas}/order/?status=queued&limit=100`);
  for (const { order_id, note } of (page.body as { orders: WireOrder[] }).orders) {
    if (note !== undefined) expectOrder(await cancelByCustomer(server, order_id), { status: "cancelled" });
  }
  await Promise.all(waiting);
  expect(keys).toHaveLength(2);
  expect(new Set(keys).size).toBe(2);
  for (const each of keys) expect(each).toMatch(/^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-8[\da-f]{3}-[\da-f]{12}$/);
});

test("the API's description says whose a key is", async () => {
  for (const url of [server.customers, server.baristas]) {
    const { text } = await ask(`${url}/swagger/json`);
    expect(text.includes("best a UUID, or 32 random hex digits, which count alone")).toBe(true);
  }
});
