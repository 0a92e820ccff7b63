/**
 * What becomes of a shop whose keys hold values of another type: what needs a key fails while it is damaged, all else
 * goes on.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Redis } from "ioredis";
import { spoil } from "../support/damage.ts";
import { idsOf, Shop, type DamagedView } from "../support/damaged.ts";
import {
  ask,
  brew,
  expectOrder,
  expectStatus,
  lookAtQueue,
  order,
  place,
  start,
  applyVerb,
  type Answer,
  type WireOrder,
} from "../support/http.ts";
import { expectPayment, takeMoney } from "../support/payments.ts";
import { sharedRedis } from "../support/redis.ts";
import {
  changeShop,
  expectRefusal,
  expectReserved,
  patchShop,
  putCoffee,
  readCode,
  readMenu,
  reserve,
} from "../support/shop.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(120_000);

let redis: Redis;
beforeAll(async () => {
  redis = (await sharedRedis()).connect();
});
afterAll(() => redis.disconnect());

/** What a listener is answered, who goes away as soon as it is. */
async function listenBriefly(url: string): Promise<Answer> {
  const response = await fetch(url);
  if (response.status === 200) {
    await response.body?.cancel();
    return { status: 200, headers: {}, text: "", body: undefined };
  }
  const text = await response.text();
  return { status: response.status, headers: Object.fromEntries(response.headers), text, body: JSON.parse(text) };
}

/** Everything that a shop does, each with how it answers when all is well. */
const FUNCTIONS = {
  place: async ({ server }: Shop) =>
    await order(server, { customer_id: "ada" }, { headers: { Prefer: "respond-async" } }),
  look: async ({ server }: Shop, { order_id }: WireOrder) => await ask(`${server.customers}/order/${order_id}`),
  start: async ({ server }: Shop) => await ask(`${server.baristas}/start/?barista=Grace`),
  claim: async ({ server }: Shop) =>
    await ask(`${server.baristas}/start/?barista=Grace`, { headers: { "Idempotency-Key": crypto.randomUUID() } }),
  finish: async ({ server }: Shop, _queued: WireOrder, { order_id }: WireOrder) =>
    await applyVerb(server, "finish", order_id),
  cancel: async ({ server }: Shop, { order_id }: WireOrder) => await applyVerb(server, "cancel", order_id),
  search: async ({ server }: Shop) => await ask(`${server.baristas}/order/`),
  queue: async ({ server }: Shop) => await ask(`${server.baristas}/queue`),
  shop: async ({ server }: Shop) => await ask(`${server.customers}/shop`),
  menu: async ({ server }: Shop) => await ask(`${server.customers}/coffees`),
  code: async ({ server }: Shop) => await ask(`${server.baristas}/code`),
  reserve: async ({ server }: Shop, _queued: WireOrder, _brewing: WireOrder, code: string) =>
    await reserve(server, { code }),
  payments: async ({ server }: Shop) => await ask(`${server.baristas}/payment`),
  payment: async ({ server }: Shop, _queued: WireOrder, _brewing: WireOrder, _code: string, { order_id }: WireOrder) =>
    await ask(`${server.baristas}/payment/${order_id}`),
  take: async ({ server }: Shop, _queued: WireOrder, _brewing: WireOrder, _code: string, { order_id }: WireOrder) =>
    await takeMoney(server, order_id),
  listen: async ({ server }: Shop, _queued: WireOrder, { order_id }: WireOrder) =>
    await listenBriefly(`${server.customers}/order/${order_id}/events`),
  staff: async ({ server }: Shop) => await listenBriefly(`${server.baristas}/events`),
  change: async ({ server }: Shop) => await patchShop(server, { open: true }),
} as const;
type FunctionName = keyof typeof FUNCTIONS;

/** Its type; and what can't be done while it holds a value of another. All else can. */
type KeyFaults = readonly [type: string, failing: readonly FunctionName[]];

const KEYS: Readonly<Record<string, KeyFaults>> = {
  claims: ["hash", ["claim"]],
  code: ["hash", ["code", "reserve"]],
  damaged: ["zset", []],
  "delayed:default": ["zset", ["queue", "shop", "change"]],
  events: ["stream", ["listen", "staff"]],
  "events:marks": ["list", []],
  format: ["string", []],
  menu: ["hash", ["place", "menu"]],
  "numbers:date": ["string", ["place"]],
  orders: ["zset", ["place", "search", "reserve"]],
  "orders:of:ada": ["zset", ["place"]],
  "open:of:ada": ["set", ["place"]],
  payments: ["zset", ["payments"]],
  "payments:open": ["zset", ["take"]],
  queues: ["set", ["shop", "change"]],
  "queue:default": ["stream", ["place", "start", "claim"]],
  reserved: ["zset", ["shop", "change", "reserve"]],
  settings: ["hash", ["place", "shop", "menu", "code", "reserve", "change"]],
  "spent:now": ["set", ["claim"]],
  "unpaid:default": ["zset", ["shop", "change"]],
  "waiting:default": ["zset", ["place", "start", "claim", "take", "queue", "shop", "change"]],
  "waits:default": ["list", []],
  "leases:default": ["zset", ["start", "claim", "queue", "shop", "change"]],
};
/** No inspection looks into these: there are as many as customers. */
const NOT_INSPECTED = ["orders:of:ada", "open:of:ada"];

describe.each(Object.entries(KEYS))("a value of another type under %s", (name, [type, failing]) => {
  test(`keeps the shop from: ${failing.join(", ") || "nothing"}; all heals when it is put right`, async () => {
    await using shop = await Shop.open();
    const { server } = shop;
    // The menu is kept in Redis once it was changed.
    const latte = (await readMenu(server)).find(({ id }) => id === "latte");
    const { id: _id, ...coffee } = latte ?? { id: "" };
    expectStatus(await putCoffee(server, "latte", coffee), 200);
    await changeShop(server, { drinks_per_code: 50, code_period_seconds: 86_400 });
    const { code } = await readCode(server);
    await expectReserved(server, { code });
    for (const _ of [1, 2]) {
      await place(server, { customer_id: "ada" });
      await brew(server, "barista=Grace");
    }
    const queue = [...(await shop.placeMany(4)), await place(server, { customer_id: "ada" })];
    await changeShop(server, { payment: "counter" });
    const unpaid = await place(server);
    await changeShop(server, { payment: "off" });
    const brewing = await start(server, "barista=Linus");
    const queued = queue[3] as WireOrder;

    const keys = keysOf(shop, name);
    const putRight = await Promise.all(keys.map((key) => spoil(redis, key)));
    const faults = keys.map((key) => ({ key, type: type === "string" ? "list" : "string", expected_type: type }));

    const failed: string[] = [];
    const placedMeanwhile: string[] = [];
    for (const [each, act] of Object.entries(FUNCTIONS)) {
      const answer = await act(shop, queued, brewing, code, unpaid);
      if (answer.status >= 400) {
        expectRefusal(answer, 500, "shop_damaged");
        failed.push(each);
      } else if (each === "place") {
        placedMeanwhile.push(expectOrder(answer, {}, 202).order_id);
      }
    }
    expect(failed.toSorted()).toEqual([...failing].toSorted());
    const inspected = NOT_INSPECTED.includes(name) ? [] : faults;
    await expectReported(shop, inspected);
    for (const mend of putRight) await mend();

    // As if nothing had been.
    await until(async () => (await shop.damaged()).keys.length === 0, "nothing is damaged");
    // (Taken again, it answers the same.)
    expectPayment(await takeMoney(server, unpaid.order_id), "SUCCESSFUL");
    const rest = [...[...queue, unpaid].map(({ order_id }) => order_id), ...placedMeanwhile].filter(
      (id) => id !== queued.order_id && id !== brewing.order_id,
    );
    const started = rest.splice(0, ["start", "claim"].filter((each) => !failed.includes(each)).length);
    for (const id of started) expectOrder(await applyVerb(server, "finish", id), { status: "ready" });
    rest.push((await place(server, { customer_id: "ada" })).order_id);
    expect(await shop.make(rest.length)).toEqual(rest);
    expectOrder(await ask(`${server.customers}/order/${brewing.order_id}`), { status: "ready" });
    expectOrder(await ask(`${server.customers}/order/${queued.order_id}`), { status: "cancelled" });
    await until(async () => {
      const { depth, brewing: left } = await lookAtQueue(server);
      return depth === 0 && left === 0 && (await redis.xlen(shop.key("queue:default"))) === 0;
    }, "nothing remains");
    await expectReserved(server, { code });
    // As often as it was said that they are damaged.
    const said = complaintsOf(shop);
    await until(() => linesOn(shop, "a key of the shop was put right").length === said.length, "it is logged");
    expect(linesOn(shop, "a key of the shop was put right").map(({ key }) => key)).toEqual(said.map(({ key }) => key));
    expect(othersIn(said, inspected)).toEqual([]);
    expect(new Set(said.map(({ key }) => key)).size).toBe(said.length);
  });
});

/** The keys that the shop has under this name: spent claims stand under one now, and under another soon. */
function keysOf(shop: Shop, name: string): string[] {
  if (name !== "spent:now") return [shop.key(name.replace("date", new Date().toISOString().slice(0, 10)))];
  const period = Math.floor(Date.now() / 10_000);
  return [-1, 0, 1].map((ahead) => shop.key(`spent:${period + ahead}`));
}

/** Waits until the faults are logged, and expects that staff see them. Of keys that take turns, one is in use. */
async function expectReported(shop: Shop, faults: DamagedView["keys"]): Promise<void> {
  const { keys } = await shop.damaged();
  if (faults.length > 1) {
    expect(keys).toHaveLength(1);
    expect(othersIn(keys, faults)).toEqual([]);
    await until(() => complaintsOf(shop).length > 0, "it is logged");
    return;
  }
  expect(keys).toEqual(faults);
  await until(() => complaintsOf(shop).length >= faults.length, "it is logged");
  expect(complaintsOf(shop)).toEqual([...faults]);
}

function othersIn(faults: readonly object[], known: readonly object[]): object[] {
  return faults.filter((fault) => !known.some((each) => Bun.deepEquals(fault, each)));
}

function linesOn(shop: Shop, message: string): readonly Record<string, unknown>[] {
  return shop.server.log().filter(({ msg }) => String(msg).startsWith(message));
}

/** What was logged of keys. */
function complaintsOf(shop: Shop): { key: unknown; type: unknown; expected_type: unknown }[] {
  return linesOn(shop, "a key of the shop holds").map(({ level, key, type, expected_type }) => {
    expect(level).toBe("error");
    return { key, type, expected_type };
  });
}

test("an operator reads of a key once while it is damaged, and once when it is put right", async () => {
  await using shop = await Shop.open();
  const names = ["claims", "code", "reserved"];
  const putRight: (() => Promise<void>)[] = [];
  // Each is found by another look than those before.
  for (const [index, name] of names.entries()) {
    putRight.push(await spoil(redis, shop.key(name)));
    await until(() => complaintsOf(shop).length > index, `${name} is found`);
  }
  const keys = names.map(shop.key.bind(shop));
  expect(complaintsOf(shop).map(({ key }) => key)).toEqual(keys);
  const mended = (): unknown[] => linesOn(shop, "a key of the shop was put right").map(({ key }) => key);
  for (const [index, mend] of putRight.entries()) {
    await mend();
    await until(() => mended().length > index, `${names[index]} is put right`);
  }
  expect(mended()).toEqual(keys);
  expect(complaintsOf(shop)).toHaveLength(keys.length);
});

test("a value of another type under an order's bell keeps no customer from their coffee", async () => {
  await using shop = await Shop.open();
  const placed = await shop.placeMany(6);
  for (const one of [placed[0], placed[3]] as WireOrder[]) await redis.set(shop.key(`bell:${one.order_id}`), "no list");
  const held = await shop.hold(placed);
  expect(await shop.make(6)).toEqual(idsOf(placed));
  for (const answer of await Promise.all(held)) expectOrder(answer, { status: "ready" });
});

test("a value of another type under an Idempotency-Key or a bucket fails who needs it, and no other", async () => {
  await using shop = await Shop.open();
  const key = crypto.randomUUID();
  await redis.rpush(shop.key(`once:${key}`), "no string");
  const asking = { headers: { Prefer: "respond-async", "Idempotency-Key": key } };
  expectRefusal(await order(shop.server, {}, asking), 500, "shop_damaged");
  await place(shop.server);
  await redis.del(shop.key(`once:${key}`));
  const placed = expectOrder(await order(shop.server, {}, asking), {}, 202);
  expect(expectOrder(await order(shop.server, {}, asking), {}, 202).order_id).toBe(placed.order_id);

  await redis.del(shop.key("bucket:order:127.0.0.1"));
  await redis.set(shop.key("bucket:order:127.0.0.1"), "no hash");
  expectRefusal(await order(shop.server), 500, "shop_damaged");
  await place(shop.server, {}, { localAddress: "127.0.0.2" });
  await redis.del(shop.key("bucket:order:127.0.0.1"));
  await place(shop.server);
});
