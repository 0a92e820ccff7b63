/** Owns the tests of what lets a call in: its queue, the queue's capacity, and the bucket of its address. */
import { expect, test } from "bun:test";
import type { ShopRefusal } from "../../src/orders/admission.ts";
import { createOrders } from "../../src/orders/orders.ts";
import type { Call } from "../../src/orders/operations/call.ts";
import { createShop } from "../../src/shop/settings.ts";
import { ORDER_SETTINGS, QUEUE_RULES, TestOrders } from "../support/orders.ts";
import { endings } from "../support/settled.ts";

const HOUR_MS = 3_600_000;
const { name: queue } = QUEUE_RULES;
const refused = (why: ShopRefusal["why"]): ShopRefusal => ({ kind: "refused", why, subject: "" });

async function openShop(own: Partial<typeof QUEUE_RULES> = {}): Promise<TestOrders> {
  const shop = await TestOrders.open();
  await shop.declare(own);
  return shop;
}

const callOf = (orderId: string, own: Partial<Call> = {}): Call => ({ orderId, queue, input: "{}", ...own });

test("a queue that nobody declared is unknown, the counter's too, and nothing is changed", async () => {
  await using shop = await openShop();
  await shop.place(["A"], { queue: "patio" });
  const changes = await shop.changes(async () => {
    for (const name of ["mail", "patio", "default"]) {
      expect(await shop.orders.call(callOf("B", { queue: name, bucket: "b" }))).toEqual(refused("queue_unknown"));
    }
  });
  expect(changes).toEqual({});
});

test("a full queue takes no more, until one of its orders is over", async () => {
  await using shop = await openShop({ capacity: 3 });
  await shop.call(["A", "B"]);
  await shop.call(["C"], { notBefore: new Date(Date.now() + HOUR_MS).toISOString() });
  await shop.start("Grace", { queue });
  const full = async () => expect(await shop.orders.call(callOf("D", { bucket: "b" }))).toEqual(refused("queue_full"));
  expect(await shop.changes(full)).toEqual({});
  await shop.orders.fail({ orderId: "A", error: "no", retry: true, retryAfterMs: HOUR_MS });
  expect(await shop.changes(full)).toEqual({});
  await shop.orders.cancel({ orderId: "C", canceller: "customer", reason: "customer" });
  expect(await shop.orders.call(callOf("E"))).toMatchObject({ kind: "placed" });
  expect(await shop.changes(full)).toEqual({});
});

test("calls of one tick fill a queue to its last place, and what ends in it makes room", async () => {
  await using shop = await openShop({ capacity: 3 });
  await shop.call(["A", "B"]);
  await shop.start("Grace", { queue });
  const [, ...outcomes] = await Promise.all([
    shop.orders.finish({ orderId: "A" }),
    ...["C", "D", "E"].map((id) => shop.orders.call(callOf(id))),
  ]);
  expect(outcomes).toEqual([{ kind: "placed", orderId: "C" }, { kind: "placed", orderId: "D" }, refused("queue_full")]);
});

test("the counter's capacity counts no calls, and a queue's counts no orders of the counter", async () => {
  await using shop = await openShop({ capacity: 2 });
  const settings = createShop(shop.redis, "default");
  await settings.change({ capacity: 2 });
  const place = (orderId: string) => shop.orders.place({ orderId, queue: "default", draft: {} });
  const outcomes = await Promise.all([
    ...["A", "B", "C"].map((id) => shop.orders.call(callOf(id))),
    ...["D", "E", "F"].map(place),
  ]);
  expect(outcomes.map(({ kind }) => kind)).toEqual(["placed", "placed", "refused", "placed", "placed", "refused"]);
  expect([outcomes[2], outcomes[5]]).toEqual([refused("queue_full"), refused("full")]);
  expect(await shop.orders.call(callOf("G"))).toEqual(refused("queue_full"));
  expect(await place("H")).toEqual(refused("full"));
  await shop.start("Grace");
  await shop.orders.finish({ orderId: "D" });
  expect(await shop.orders.call(callOf("G"))).toEqual(refused("queue_full"));
  expect(await place("H")).toMatchObject({ kind: "placed" });
});

test("a closed shop takes calls: machines have no opening hours", async () => {
  await using shop = await openShop();
  await createShop(shop.redis, "default").change({ open: false, require_code: true });
  expect(await shop.orders.call(callOf("A"))).toEqual({ kind: "placed", orderId: "A" });
});

test("a bucket has its queue's capacity and refill, and an order takes a token of it", async () => {
  await using shop = await openShop();
  const { call, place, close } = createOrders(shop.redis, ORDER_SETTINGS);
  const first = await call(callOf("A", { bucket: "queue-thumbs:ip" }));
  expect(first).toMatchObject({ kind: "placed", tokens: { remaining: 2, retryAfterMs: 0 } });
  expect("tokens" in first && first.tokens.resetAfterMs).toBeWithin(1900, 2001);
  expect(await place({ orderId: "B", queue: "default", draft: {}, bucket: "orders:ip" })).toMatchObject({
    tokens: { remaining: 249 },
  });
  await call(callOf("C", { bucket: "queue-thumbs:ip" }));
  const [third, fourth] = await Promise.all([
    call(callOf("D", { bucket: "queue-thumbs:ip" })),
    call(callOf("E", { bucket: "queue-thumbs:ip" })),
  ]);
  expect([third?.kind, fourth?.kind]).toEqual(["placed", "denied"]);
  expect(fourth && "tokens" in fourth && fourth.tokens.retryAfterMs).toBeWithin(1, 2001);
  const changes = await shop.changes(async () =>
    expect(await call(callOf("F", { bucket: "queue-thumbs:ip" }))).toMatchObject({ kind: "denied" }),
  );
  expect(changes).toEqual({});
  expect(await shop.ttlMs("bucket:queue-thumbs:ip")).toBeWithin(1, 6001);
  close();
});

test("a time that is over or too far is refused, and spends nothing", async () => {
  await using shop = await openShop();
  const at = (ms: number) => new Date(Date.now() + ms).toISOString();
  const changes = await shop.changes(async () => {
    expect(await shop.orders.call(callOf("A", { bucket: "b", notBefore: at(-60_000) }))).toEqual(
      refused("not_before_past"),
    );
    expect(await shop.orders.call(callOf("A", { bucket: "b", notBefore: at(169 * HOUR_MS) }))).toEqual(
      refused("not_before_far"),
    );
  });
  expect(changes).toEqual({});
  expect(await shop.orders.call(callOf("A", { notBefore: at(167 * HOUR_MS) }))).toMatchObject({ kind: "placed" });
});

test.each(["calls:thumbs", "calls:labels:thumbs", "calls:numbers:thumbs", "waiting:thumbs", "queue:thumbs"])(
  "where %s is damaged a call fails, and the counter goes on",
  async (name) => {
    await using shop = await openShop();
    await shop.client.set(shop.key(name), "of another type");
    const [called, placed] = await endings([
      shop.orders.call(callOf("A", { label: "l" })),
      shop.orders.place({ orderId: "B", queue: "default", draft: {} }),
    ]);
    expect(called).toStartWith("ShopDamagedError: call: WRONGTYPE");
    expect(placed).toBe("fulfilled");
    const { keys } = await shop.orders.inspect(10);
    expect(keys.map(({ key }) => key)).toEqual([shop.key(name)]);
    expect(await shop.state()).not.toHaveProperty(["order:A"]);
  },
);

test.each([
  ["a list", (shop: TestOrders) => shop.client.rpush(shop.key("calls:count:thumbs"), "1")],
  ["no number", (shop: TestOrders) => shop.client.set(shop.key("calls:count:thumbs"), "many")],
])("where the count of a queue is %s a call fails, and nothing is written", async (_what, harm) => {
  await using shop = await openShop();
  await harm(shop);
  const changes = await shop.changes(async () => {
    const [ending] = await endings([shop.orders.call(callOf("A"))]);
    expect(ending).toStartWith("ShopDamagedError: call: WRONGTYPE");
  });
  expect(changes).toEqual({});
});

test("rules that can't be read are as none: the queue takes no calls, and what is in it goes on", async () => {
  await using shop = await openShop();
  await shop.call(["A"]);
  await shop.client.hset(shop.key("queue-rules"), queue, "many");
  expect(await shop.orders.call(callOf("B"))).toEqual(refused("queue_unknown"));
  expect(await shop.start("Grace", { queue })).toBe("A");
  expect(await shop.orders.finish({ orderId: "A", result: "1" })).toMatchObject({ kind: "changed" });
});
