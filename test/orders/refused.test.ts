/**
 * Owns the tests of admission: whom operations/place.lua and operations/reserve.lua refuse, what that costs, and who
 * hears of it.
 */
import { expect, test } from "bun:test";
import { createCodes } from "../../src/shop/codes.ts";
import { createShop, type ShopPatch } from "../../src/shop/settings.ts";
import type { Draft } from "../../src/orders/order.ts";
import { TestOrders } from "../support/orders.ts";

async function openWith(patch: ShopPatch): Promise<TestOrders> {
  const shop = await TestOrders.open();
  await change(shop, patch);
  return shop;
}

const change = (shop: TestOrders, patch: ShopPatch) => createShop(shop.redis, "default").change(patch);
const readCode = (shop: TestOrders) => createCodes(shop.redis)();
const place = (shop: TestOrders, orderId: string, draft: Draft = {}, idempotencyKey?: string) =>
  shop.orders.place({ orderId, queue: "default", draft, idempotencyKey });
const reserve = (shop: TestOrders, orderId: string, code: string, customer_id?: string) =>
  shop.orders.reserve({ orderId, draft: customer_id ? { code, customer_id } : { code } });

const CLOSED = { kind: "refused", why: "closed", subject: "" } as const;
const FULL = { kind: "refused", why: "full", subject: "" } as const;

test("a refused order leaves nothing behind but one event a run and reason", async () => {
  await using shop = await openWith({ capacity: 0 });
  const all = ["A", "B", "C"];
  const full = await shop.changes(async () => {
    const outcomes = all.map((id) => place(shop, id, { item: "latte", customer_id: "c1", note: "hot" }, `k-${id}`));
    expect(await Promise.all(outcomes)).toEqual([FULL, FULL, FULL]);
  });
  expect(full).toEqual({ "events.2": 'nothing → shop.refused {"reason":"full","count":3}' });
  await change(shop, { open: false });
  const closed = await shop.changes(async () => {
    expect(await place(shop, "A")).toEqual(CLOSED);
    expect(await place(shop, "A")).toEqual(CLOSED);
  });
  expect(closed).toEqual({
    "events.4": 'nothing → shop.refused {"reason":"closed","count":1}',
    "events.5": 'nothing → shop.refused {"reason":"closed","count":1}',
  });
});

test("a reservation is refused by the same admission, before its code is looked at", async () => {
  await using shop = await openWith({ open: false, code_period_seconds: 86_400 });
  const { code } = await readCode(shop);
  const changes = await shop.changes(async () => {
    expect(await Promise.all([reserve(shop, "A", code), reserve(shop, "B", "WRONG")])).toEqual([CLOSED, CLOSED]);
  });
  expect(changes).toEqual({ "events.2": 'nothing → shop.refused {"reason":"closed","count":2}' });
  await change(shop, { open: true, capacity: 0 });
  expect(await reserve(shop, "A", code)).toEqual(FULL);
  expect(await readCode(shop)).toMatchObject({ code, remaining: 10 });
});

test("an Idempotency-Key that was refused is not used up: its order gets in later", async () => {
  await using shop = await openWith({ open: false });
  expect(await place(shop, "A", {}, "k")).toEqual(CLOSED);
  await change(shop, { open: true });
  expect(await place(shop, "B", {}, "k")).toEqual({ kind: "placed", orderId: "B" });
});

test("who has an order already joins it by their key, in a shop that is full, closed, or asks for codes by now", async () => {
  await using shop = await openWith({ code_period_seconds: 86_400 });
  await place(shop, "A", { customer_id: "c1" }, "k");
  await change(shop, { open: false, capacity: 0, require_code: true, max_open_per_customer: 1 });
  const changes = await shop.changes(async () => {
    expect(await place(shop, "B", { customer_id: "c1" }, "k")).toEqual({ kind: "joined", orderId: "A" });
    expect(await place(shop, "B", { customer_id: "c2" }, "k")).toEqual({ kind: "mismatch" });
    expect(await place(shop, "A", { customer_id: "c1" })).toEqual({ kind: "placed", orderId: "A" });
  });
  expect(changes).toEqual({});
});

test("who has reserved already gets it again by their key, closed, full, and after the code's end", async () => {
  await using shop = await openWith({ code_period_seconds: 86_400 });
  const { code } = await readCode(shop);
  const again = (orderId: string) => shop.orders.reserve({ orderId, draft: { code }, idempotencyKey: "k" });
  const first = await again("A");
  await change(shop, { open: false, capacity: 0 });
  await shop.client.hset(shop.key("code"), "ends_at", 1);
  expect(await shop.changes(async () => expect(await again("B")).toEqual(first))).toEqual({});
});

test("one placed twice in one tick counts once for the shop's capacity, and takes one drink of the code", async () => {
  await using shop = await openWith({ capacity: 2, require_code: true, code_period_seconds: 86_400 });
  const { code } = await readCode(shop);
  const outcomes = await Promise.all([
    place(shop, "A", { code }, "k"),
    place(shop, "B", { code }, "k"),
    place(shop, "C", { code }),
    place(shop, "D", { code }),
  ]);
  expect(outcomes).toEqual([
    { kind: "placed", orderId: "A" },
    { kind: "joined", orderId: "A" },
    { kind: "placed", orderId: "C" },
    FULL,
  ]);
  expect(await readCode(shop)).toMatchObject({ remaining: 8 });
});

test("reserved, queued and brewing orders fill the shop, of all queues; final ones do not", async () => {
  await using shop = await openWith({ capacity: 3, code_period_seconds: 86_400 });
  const { code } = await readCode(shop);
  await reserve(shop, "reserved", code);
  await shop.place(["queued"], { queue: "patio" });
  await place(shop, "brewing");
  await shop.start("Grace");
  expect(await place(shop, "A")).toEqual(FULL);
  await shop.orders.cancel({ orderId: "reserved", canceller: "customer", reason: "customer" });
  expect(await place(shop, "A")).toMatchObject({ kind: "placed" });
  expect(await place(shop, "B")).toEqual(FULL);
  await shop.orders.finish({ orderId: "brewing" });
  await shop.orders.cancel({ orderId: "queued", canceller: "barista", reason: "barista" });
  expect(await Promise.all(["B", "C", "D"].map((id) => place(shop, id)))).toMatchObject([
    { kind: "placed" },
    { kind: "placed" },
    FULL,
  ]);
});

test("a capacity below what is open already turns no order away that is in", async () => {
  await using shop = await openWith({});
  await shop.place(["A", "B", "C"]);
  await change(shop, { capacity: 1 });
  expect([await shop.start("Grace"), await shop.start("Grace")]).toEqual(["A", "B"]);
  for (const orderId of ["A", "B"]) {
    await shop.orders.finish({ orderId });
    expect(await place(shop, "D")).toEqual(FULL);
  }
  await shop.orders.cancel({ orderId: "C", canceller: "customer", reason: "customer" });
  expect(await place(shop, "D")).toMatchObject({ kind: "placed" });
});

test("of a hundred at once, as many get in as there is room, and no other has paid", async () => {
  await using shop = await openWith({
    capacity: 20,
    require_code: true,
    drinks_per_code: 50,
    code_period_seconds: 86_400,
  });
  const { code } = await readCode(shop);
  const ids = Array.from({ length: 100 }, (_, index) => `order-${index}`);
  const outcomes = await Promise.all(ids.map((id) => place(shop, id, { code })));
  expect(outcomes.map(({ kind }) => kind)).toEqual(ids.map((_, index) => (index < 20 ? "placed" : "refused")));
  expect(await readCode(shop)).toMatchObject({ code, remaining: 30 });
  expect(await shop.client.zcard(shop.key("waiting:default"))).toBe(20);
});

test("of a hundred reservations at once, as many get in as the code has drinks, and it never has less than none", async () => {
  await using shop = await openWith({ code_period_seconds: 86_400 });
  const { code } = await readCode(shop);
  const ids = Array.from({ length: 100 }, (_, index) => `order-${index}`);
  const outcomes = await Promise.all(ids.map((id) => reserve(shop, id, code)));
  expect(outcomes.filter(({ kind }) => kind === "reserved")).toHaveLength(10);
  expect(outcomes.filter((outcome) => outcome.kind === "refused" && outcome.why === "code_used_up")).toHaveLength(90);
  expect(await readCode(shop)).toMatchObject({ code, remaining: 0 });
});

test("where no code is asked for, one that is sent is neither looked at nor spent", async () => {
  await using shop = await openWith({ code_period_seconds: 86_400 });
  const { code } = await readCode(shop);
  expect(await place(shop, "A", { code })).toMatchObject({ kind: "placed" });
  expect(await place(shop, "B", { code: "OLD" })).toMatchObject({ kind: "placed" });
  expect(await readCode(shop)).toMatchObject({ remaining: 10 });
});

test("where one is asked for: none, a wrong, an old and an empty one have each their answer, and nothing changes", async () => {
  await using shop = await openWith({ require_code: true, drinks_per_code: 1, code_period_seconds: 86_400 });
  // Before the board has shown any.
  expect(await place(shop, "A", { code: "ANY" })).toMatchObject({ why: "code_wrong" });
  const { code } = await readCode(shop);
  const changes = await shop.changes(async () => {
    expect(await place(shop, "A")).toMatchObject({ kind: "refused", why: "code_required" });
    expect(await place(shop, "A", { code: code.toLowerCase() + "x" })).toMatchObject({ why: "code_wrong" });
  });
  expect(changes).toEqual({});
  expect(await place(shop, "A", { code })).toMatchObject({ kind: "placed" });
  const empty = await shop.changes(async () =>
    expect(await place(shop, "B", { code })).toMatchObject({ why: "code_used_up" }),
  );
  expect(empty).toEqual({});
  await shop.client.hset(shop.key("code"), "remaining", 1, "ends_at", 1);
  expect(await place(shop, "B", { code })).toMatchObject({ why: "code_wrong" });
});

test("of one customer's orders of one tick as many get in as they may have, reservations counted", async () => {
  await using shop = await openWith({ max_open_per_customer: 3, code_period_seconds: 86_400 });
  const { code } = await readCode(shop);
  expect(await reserve(shop, "reserved", code, "c1")).toMatchObject({ kind: "reserved" });
  const mine = ["A", "B", "C", "D"].map((id) => place(shop, id, { customer_id: "c1" }));
  expect((await Promise.all(mine)).map(({ kind }) => kind)).toEqual(["placed", "placed", "refused", "refused"]);
  expect(await reserve(shop, "E", code, "c1")).toEqual({ kind: "refused", why: "too_many_open", subject: "" });
  expect(await readCode(shop)).toMatchObject({ remaining: 9 });
  expect(await reserve(shop, "E", code, "c2")).toMatchObject({ kind: "reserved" });
  await shop.orders.cancel({ orderId: "reserved", canceller: "customer", reason: "customer" });
  expect(await place(shop, "C", { customer_id: "c1" })).toMatchObject({ kind: "placed" });
});

test("a customer's orders that end in any way make room for the next", async () => {
  await using shop = await openWith({ max_open_per_customer: 1 });
  const draft = { customer_id: "c1" };
  const next = async (id: string) => expect(await place(shop, id, draft)).toMatchObject({ kind: "placed" });
  await next("A");
  await shop.start("Grace");
  expect(await place(shop, "B", draft)).toMatchObject({ why: "too_many_open" });
  await shop.orders.release({ orderId: "A" });
  expect(await place(shop, "B", draft)).toMatchObject({ why: "too_many_open" });
  await shop.start("Grace");
  await shop.orders.finish({ orderId: "A" });
  await next("B");
  for (const barista of ["Grace", "Linus", "Ada"]) await shop.startAndLoseLease(barista);
  await shop.orders.expire();
  await next("C");
});
