/**
 * What becomes of orders whose record is damaged or gone, and of queues that lost a key: one fault is one order's, and
 * it heals.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Redis } from "ioredis";
import { DAMAGES, garble } from "../support/damage.ts";
import { idsOf, Shop } from "../support/damaged.ts";
import {
  ask,
  cancelByCustomer,
  expectOrder,
  expectStatus,
  lookAtQueue,
  order,
  place,
  start,
  applyVerb,
  type WireOrder,
} from "../support/http.ts";
import { sharedRedis } from "../support/redis.ts";
import { changeShop, choose, expectRefusal, expectReserved, readCode } from "../support/shop.ts";
import { parseRecord } from "../support/state.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(120_000);

let redis: Redis;
beforeAll(async () => {
  redis = (await sharedRedis()).connect();
});
afterAll(() => redis.disconnect());

interface Harmed {
  readonly order: WireOrder;
  /** Its record as it was, and as the damage left it. */
  readonly sound: Buffer;
  readonly left: Buffer;
}

/** Damages as many orders as there are ways to, each in another one. */
async function damageEach(shop: Shop, orders: readonly WireOrder[]): Promise<Harmed[]> {
  const harmed: Harmed[] = [];
  for (const [index, { harm }] of Object.values(DAMAGES).entries()) {
    const its = orders[index] as WireOrder;
    const sound = await redis.dumpBuffer(shop.record(its));
    await harm(redis, shop.record(its));
    harmed.push({ order: its, sound, left: await redis.dumpBuffer(shop.record(its)) });
  }
  return harmed;
}

const WAYS = Object.keys(DAMAGES).length;

/** What staff see of these, each damaged in one of the ways. */
const listed = (orders: readonly WireOrder[]) =>
  orders.map(({ order_id }, index) => ({ order_id, reason: Object.values(DAMAGES)[index]?.reason ?? "" }));

const byId = <Row extends { readonly order_id: string }>(rows: readonly Row[]): Row[] =>
  rows.toSorted((one, other) => (one.order_id < other.order_id ? -1 : 1));

/** Expects that staff see these as damaged, and no others. */
async function expectListed(shop: Shop, rows: readonly { order_id: string; reason: string }[]): Promise<void> {
  const { orders } = await shop.damaged();
  expect(byId(orders.map(({ order_id, reason }) => ({ order_id, reason })))).toEqual(byId(rows));
}

/** What an operator reads of an order: no id, which would be the right to cancel it. */
const logged = ({ order_id, reason }: { order_id: string; reason: string }) => ({
  order: new Bun.CryptoHasher("sha256").update(order_id).digest("hex").slice(0, 8),
  reason,
});

interface DamageLine {
  readonly damaged: number;
  readonly orders: readonly { readonly order: string; readonly reason: string }[];
}

/** The lines about damaged orders. */
function linesOf(shop: Shop): DamageLine[] {
  const lines = shop.server.log().filter(({ msg }) => String(msg).startsWith("orders are damaged"));
  return lines.map(({ level, damaged, orders }) => {
    expect(level).toBe("error");
    return { damaged, orders } as DamageLine;
  });
}

const countedIn = (lines: readonly DamageLine[]): number => lines.reduce((sum, { damaged }) => sum + damaged, 0);

/** So many are named in a line, and no more. */
const MAX_NAMED = 10;

describe(`orders with damaged records: ${Object.keys(DAMAGES).join(", ")}`, () => {
  test("while they are queued: all others get their coffee, their own customers 500, and staff see them", async () => {
    await using shop = await Shop.open();
    const placed = await shop.placeMany(WAYS + 4);
    const held = await shop.hold(placed);
    const harmed = await damageEach(shop, placed);
    const [broken, others] = [placed.slice(0, WAYS), placed.slice(WAYS)];

    expect(await shop.make(4)).toEqual(idsOf(others));
    for (const [index, answer] of (await Promise.all(held.slice(WAYS))).entries()) {
      expectOrder(answer, { order_id: others[index]?.order_id ?? "", status: "ready" });
    }
    for (const itsCustomer of held.slice(0, WAYS)) expectRefusal(await itsCustomer, 500, "order_damaged");
    expectStatus(await ask(`${shop.server.baristas}/start/`), 404);
    const found = (await ask(`${shop.server.baristas}/order/`)).body as { orders: WireOrder[] };
    expect(idsOf(found.orders)).toEqual(idsOf(others));

    await expectListed(shop, listed(broken));
    await until(async () => (await redis.xlen(shop.key("queue:default"))) === 0, "their stream entries are gone too");
    expect(await lookAtQueue(shop.server)).toMatchObject({ depth: 0, brewing: 0, damaged: WAYS, held: 0 });
    // Nothing of the records was touched.
    for (const { order: its, left } of harmed) expect(await redis.dumpBuffer(shop.record(its))).toEqual(left);
  });

  test("they are refused to all who ask for them", async () => {
    await using shop = await Shop.open();
    const placed = await shop.placeMany(WAYS);
    await damageEach(shop, placed);
    const { customers, baristas } = shop.server;
    for (const { order_id } of placed) {
      expectRefusal(await ask(`${customers}/order/${order_id}`), 500, "order_damaged");
      expectRefusal(await ask(`${customers}/order/${order_id}?wait`), 500, "order_damaged");
      expectRefusal(await ask(`${customers}/order/${order_id}/events`), 500, "order_damaged");
      expectRefusal(await cancelByCustomer(shop.server, order_id), 500, "order_damaged");
      expectRefusal(await choose(shop.server, order_id, {}), 500, "order_damaged");
      expectRefusal(await ask(`${baristas}/order/${order_id}`), 500, "order_damaged");
      expectRefusal(await ask(`${baristas}/start/?order_id=${order_id}`), 500, "order_damaged");
      for (const verb of ["finish", "release", "extend", "cancel"] as const) {
        expectRefusal(await applyVerb(shop.server, verb, order_id), 500, "order_damaged");
      }
    }
    await until(() => countedIn(linesOf(shop)) >= WAYS, "each is counted");
    expect(countedIn(linesOf(shop))).toBe(WAYS);
    for (const { order_id } of placed) expect(JSON.stringify(shop.server.log())).not.toContain(order_id);
  });

  test("an operator reads of each once, and why, where not too many are found at once", async () => {
    await using shop = await Shop.open();
    const placed = await shop.placeMany(WAYS);
    const rows = listed(placed);
    for (let first = 0; first < WAYS; first += MAX_NAMED) {
      const some = rows.slice(first, first + MAX_NAMED);
      for (const [index, { order_id }] of some.entries()) {
        await Object.values(DAMAGES)[first + index]?.harm(redis, shop.record({ order_id }));
        expectRefusal(await ask(`${shop.server.customers}/order/${order_id}`), 500, "order_damaged");
      }
      const sofar = rows.slice(0, first + some.length);
      await until(() => countedIn(linesOf(shop)) >= sofar.length, "each is counted");
      const named = linesOf(shop).flatMap(({ orders }) => orders);
      const inOrder = (lines: typeof named) => lines.toSorted((one, other) => (one.order < other.order ? -1 : 1));
      expect(inOrder(named)).toEqual(inOrder(sofar.map(logged)));
      for (const { damaged, orders } of linesOf(shop)) expect(orders).toHaveLength(damaged);
    }
  });

  test("an operator reads of ten that are found at once, and how many they are; and of no other twice", async () => {
    await using shop = await Shop.open();
    const placed = await shop.placeMany(WAYS + 1);
    await damageEach(shop, placed);
    // One search meets them all.
    expectStatus(await ask(`${shop.server.baristas}/order/`), 200);
    await until(() => linesOf(shop).length > 0, "they are found");
    const [line] = linesOf(shop);
    const rows = listed(placed.slice(0, WAYS)).map((row) => JSON.stringify(logged(row)));
    const named = (line?.orders ?? []).map((row) => JSON.stringify(row));
    expect(line?.damaged).toBe(WAYS);
    expect(new Set(named).size).toBe(MAX_NAMED);
    expect(named.filter((row) => !rows.includes(row))).toEqual([]);

    // One more: it has a line of its own, and there is no other.
    const one = placed[WAYS] as WireOrder;
    await DAMAGES["no status"]?.harm(redis, shop.record(one));
    expectRefusal(await ask(`${shop.server.customers}/order/${one.order_id}`), 500, "order_damaged");
    await until(() => linesOf(shop).length > 1, "it is found");
    const its = logged({ order_id: one.order_id, reason: "it has no status" });
    expect(linesOf(shop)).toEqual([line, { damaged: 1, orders: [its] }] as DamageLine[]);
  });

  test("put right, they go back into the queue, and are made", async () => {
    await using shop = await Shop.open();
    const placed = await shop.placeMany(WAYS + 1);
    const harmed = await damageEach(shop, placed);
    expect(await shop.make(1)).toEqual(idsOf(placed.slice(WAYS)));
    const later = await shop.placeMany(2);
    for (const { order: its, sound } of harmed) await redis.restore(shop.record(its), 0, sound, "REPLACE");
    await until(async () => (await shop.damaged()).orders.length === 0, "they are put back");
    expect(await shop.make(WAYS + 2)).toEqual(idsOf([...placed.slice(0, WAYS), ...later]));
    expect(await lookAtQueue(shop.server)).toMatchObject({ depth: 0, brewing: 0, damaged: 0 });
    await until(async () => (await redis.xlen(shop.key("queue:default"))) === 0, "nothing remains");
  });

  test("while they are brewing: their leases are cleared away, the others' run out as ever", async () => {
    await using shop = await Shop.open({ LEASE_SECONDS: "1", MAX_ATTEMPTS: "1" });
    const placed = await shop.placeMany(WAYS + 1);
    for (const _ of placed) await start(shop.server);
    await damageEach(shop, placed);
    await until(async () => (await lookAtQueue(shop.server)).brewing === 0, "their leases are cleared away");
    const sound = placed[WAYS] as WireOrder;
    expectOrder(await ask(`${shop.server.customers}/order/${sound.order_id}`), { reason: "barista_timeout" });
    await expectListed(shop, listed(placed.slice(0, WAYS)));
    const next = await shop.placeMany(1);
    expect(await shop.make(1)).toEqual(idsOf(next));
  });
});

test("a damaged order that is deleted leaves the list", async () => {
  await using shop = await Shop.open();
  const [broken] = await shop.placeMany(1);
  if (!broken) throw new Error("none");
  await garble(redis, shop.record(broken), { fixed: "" });
  expectRefusal(await ask(`${shop.server.customers}/order/${broken.order_id}`), 500, "order_damaged");
  await redis.del(shop.record(broken));
  await until(async () => (await shop.damaged()).orders.length === 0, "it has left the list");
});

test("a reservation that is damaged runs out for no other", async () => {
  await using shop = await Shop.open();
  await changeShop(shop.server, { customer_timeout_seconds: 2 });
  const { code } = await readCode(shop.server);
  const broken = await expectReserved(shop.server, { code });
  const gone = await expectReserved(shop.server, { code });
  const sound = await expectReserved(shop.server, { code });
  await garble(redis, shop.record(broken), { fixed: '"note":"' });
  await redis.del(shop.record(gone));
  await until(async () => (await redis.zcard(shop.key("reserved"))) === 0, "all have run out", 20_000);
  const itsEnd = { status: "cancelled", reason: "customer_timeout" } as const;
  expectOrder(await ask(`${shop.server.customers}/order/${sound.order_id}`), itsEnd);
  expectRefusal(await choose(shop.server, broken.order_id, {}), 500, "order_damaged");
  await expectListed(shop, [{ order_id: broken.order_id, reason: "what it is for is missing or garbled" }]);
});

describe("records that are gone", () => {
  test("a brewing order's: others are started and finished at once, and nothing of it is left", async () => {
    await using shop = await Shop.open({ LEASE_SECONDS: "1", MAX_ATTEMPTS: "1" });
    const placed = await shop.placeMany(4);
    const brewing = await start(shop.server);
    await redis.del(shop.record(brewing));
    await until(async () => (await lookAtQueue(shop.server)).brewing === 0, "its lease is cleared away");
    expect(await shop.make(3)).toEqual(idsOf(placed.slice(1)));
    await until(async () => (await redis.xlen(shop.key("queue:default"))) === 0, "its stream entry is cleared away");
    expect(await redis.exists(shop.record(brewing))).toBe(0);
    expect(shop.complaints().filter(({ msg }) => String(msg).includes("can't be looked after"))).toEqual([]);
  });

  test("queued ones': they are passed over, by the next start as well", async () => {
    await using shop = await Shop.open();
    const placed = await shop.placeMany(6);
    for (const index of [0, 2, 3]) await redis.del(shop.record(placed[index] as WireOrder));
    expect(await shop.make(3)).toEqual(idsOf([placed[1], placed[4], placed[5]] as WireOrder[]));
    expectStatus(await ask(`${shop.server.baristas}/start/`), 404);
    await until(async () => (await redis.xlen(shop.key("queue:default"))) === 0, "their stream entries are gone");
  });

  test("all of a customer's open ones': they are not refused for them", async () => {
    await using shop = await Shop.open();
    await changeShop(shop.server, { max_open_per_customer: 2 });
    const draft = { customer_id: "ada" };
    const open = [await place(shop.server, draft), await place(shop.server, draft)];
    expectRefusal(await order(shop.server, draft), 409, "too_many_open");
    await redis.del(...open.map((one) => shop.record(one)));
    await place(shop.server, draft);
    await place(shop.server, draft);
    expectRefusal(await order(shop.server, draft), 409, "too_many_open");
  });
});

describe("what a queue has lost", () => {
  test("its stream, while 44 wait: they are given out in order, before those who come later", async () => {
    await using shop = await Shop.open();
    const placed = await shop.placeMany(44);
    const held = await shop.hold(placed);
    await redis.del(shop.key("queue:default"));
    const later = await shop.placeMany(3);
    const first = await start(shop.server);
    expectOrder(await applyVerb(shop.server, "release", first.order_id), { status: "queued" });
    expect(await shop.make(47)).toEqual(idsOf([...placed, ...later]));
    for (const answer of await Promise.all(held)) expectOrder(answer, { status: "ready" });
    await until(async () => (await redis.xlen(shop.key("queue:default"))) === 0, "the stream is empty again");
    expect(await lookAtQueue(shop.server)).toMatchObject({ depth: 0, brewing: 0 });
  });

  test("its stream, while one is brewing and one was put back", async () => {
    await using shop = await Shop.open();
    const placed = await shop.placeMany(4);
    const [one, other] = [await start(shop.server, "barista=Grace"), await start(shop.server, "barista=Linus")];
    expectOrder(await applyVerb(shop.server, "release", other.order_id));
    await redis.del(shop.key("queue:default"));
    expect(await shop.make(3)).toEqual(idsOf(placed.slice(1)));
    expectOrder(await applyVerb(shop.server, "finish", one.order_id, "barista=Grace"), { status: "ready" });
  });

  test("one entry of its stream: its order keeps its turn", async () => {
    await using shop = await Shop.open();
    const placed = await shop.placeMany(4);
    const { queue_number: its } = parseRecord((await redis.get(shop.record(placed[1] as WireOrder))) ?? "");
    expect(await redis.xdel(shop.key("queue:default"), `${its}-0`)).toBe(1);
    expect(await shop.make(4)).toEqual(idsOf(placed));
  });

  test("its consumer group: it is made again, and every order is given out once and in order", async () => {
    await using shop = await Shop.open();
    const placed = await shop.placeMany(6);
    const brewing = await start(shop.server, "barista=Grace");
    const released = await start(shop.server, "barista=Linus");
    expectOrder(await applyVerb(shop.server, "release", released.order_id));
    await redis.xgroup("DESTROY", shop.key("queue:default"), "baristas");
    expect(await shop.make(5)).toEqual(idsOf(placed.slice(1)));
    expectOrder(await applyVerb(shop.server, "finish", brewing.order_id, "barista=Grace"), { status: "ready" });
    expect(await redis.xlen(shop.key("queue:default"))).toBe(0);
  });

  test("its group, while a lease runs out", async () => {
    await using shop = await Shop.open({ LEASE_SECONDS: "1" });
    const [only] = await shop.placeMany(1);
    await start(shop.server);
    await redis.xgroup("DESTROY", shop.key("queue:default"), "baristas");
    expect(idsOf([await start(shop.server, "wait=10")])).toEqual(idsOf([only as WireOrder]));
  });

  test.each(["waiting:default", "leases:default"])("its index %s: it is made again from the stream", async (index) => {
    await using shop = await Shop.open();
    const placed = await shop.placeMany(5);
    const brewing = await start(shop.server, "barista=Grace");
    await redis.del(shop.key(index));
    await until(async () => {
      const { depth, brewing: started } = await lookAtQueue(shop.server);
      return depth === 4 && started === 1;
    }, "the index is whole again");
    expect(await shop.make(4)).toEqual(idsOf(placed.slice(1)));
    expectOrder(await applyVerb(shop.server, "finish", brewing.order_id, "barista=Grace"), { status: "ready" });
  });

  test("strange entries in its stream are passed over", async () => {
    await using shop = await Shop.open();
    await redis.xadd(shop.key("queue:default"), "*", "what", "is this?");
    const placed = await shop.placeMany(2);
    await redis.xadd(shop.key("queue:default"), "*", "order_id", placed[0]?.order_id ?? "");
    expect(await shop.make(2)).toEqual(idsOf(placed));
    await until(async () => (await redis.xlen(shop.key("queue:default"))) === 0, "they are dropped");
  });
});
