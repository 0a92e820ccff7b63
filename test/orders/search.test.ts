/** Owns the tests of search-orders.lua. */
import { expect, test } from "bun:test";
import type { Search } from "../../src/orders/queries.ts";
import { TestOrders } from "../support/orders.ts";

const EVERYTHING: Search = { fromMs: 0, beforeMs: 1e15, limit: 100 };

/** Ids of one page, and its cursor. */
async function search(shop: TestOrders, own: Partial<Search> = {}) {
  const outcome = await shop.orders.search({ ...EVERYTHING, ...own });
  if (outcome.kind !== "page") throw new Error(`the search answered ${outcome.kind}`);
  return { ids: outcome.orders.map(({ order_id }) => order_id), cursor: outcome.cursor };
}

/** Ids of each page, following the cursors to the end. */
async function searchAll(shop: TestOrders, own: Partial<Search> = {}): Promise<string[][]> {
  const pages: string[][] = [];
  let cursor: string | undefined;
  do {
    const page = await search(shop, { ...own, cursor });
    pages.push(page.ids);
    cursor = page.cursor;
  } while (cursor !== undefined);
  return pages;
}

/** Places orders at given times (ms since 1970), each in its own way. */
async function placeAt(shop: TestOrders, times: Record<string, number>): Promise<void> {
  await shop.place(Object.keys(times));
  for (const [id, time] of Object.entries(times)) {
    await shop.client.zadd(shop.key("orders"), time, id);
  }
}

test("without conditions all orders are found, oldest first, as find answers them", async () => {
  await using shop = await TestOrders.open();
  expect(await shop.orders.search(EVERYTHING)).toEqual({ kind: "page", orders: [] });
  await placeAt(shop, { B: 2000, A: 1000, C: 3000 });
  const changes = await shop.changes(async () => {
    const found = await shop.orders.search(EVERYTHING);
    expect(found).toMatchObject({
      orders: [{ order_id: "A", position: 2 }, { order_id: "B", position: 1 }, { order_id: "C" }],
    });
    expect(found).not.toHaveProperty("cursor");
  });
  expect(changes).toEqual({});
});

test("by status", async () => {
  await using shop = await TestOrders.open();
  await placeAt(shop, { A: 1000, B: 2000, C: 3000, D: 4000 });
  await shop.start("Grace");
  await shop.orders.finish({ orderId: "A" });
  await shop.start("Grace");
  await shop.orders.cancel({ orderId: "D", canceller: "customer", reason: "customer" });
  const statuses = ["ready", "brewing", "queued", "cancelled"] as const;
  const found = await Promise.all(statuses.map(async (status) => (await search(shop, { statuses: [status] })).ids));
  expect(found).toEqual([["A"], ["B"], ["C"], ["D"]]);
  expect((await search(shop, { statuses: ["queued", "ready"] })).ids).toEqual(["A", "C"]);
  expect((await search(shop, { statuses: [...statuses, "reserved"] })).ids).toEqual(["A", "B", "C", "D"]);
});

test("by customer, and by customer and status", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A", "C"], { draft: { customer_id: "c1" } });
  await shop.place(["B"], { draft: { customer_id: "c2" } });
  await shop.place(["D"]);
  await shop.start("Grace");
  expect(await search(shop, { customerId: "c1" })).toEqual({ ids: ["A", "C"], cursor: undefined });
  expect(await search(shop, { customerId: "c1", statuses: ["queued"] })).toEqual({ ids: ["C"], cursor: undefined });
  expect(await search(shop, { customerId: "nobody" })).toEqual({ ids: [], cursor: undefined });
});

test("by time: the beginning belongs to the range, the end does not", async () => {
  await using shop = await TestOrders.open();
  await placeAt(shop, { A: 1000, B: 2000, C: 3000, D: 4000 });
  expect((await search(shop, { fromMs: 2000, beforeMs: 4000 })).ids).toEqual(["B", "C"]);
  expect((await search(shop, { fromMs: 2001, beforeMs: 3001 })).ids).toEqual(["C"]);
  expect((await search(shop, { fromMs: 4001 })).ids).toEqual([]);
  expect(await searchAll(shop, { fromMs: 2000, beforeMs: 4000, limit: 1 })).toEqual([["B"], ["C"]]);
});

test("pages follow each other without a gap or a double, also through orders of one millisecond", async () => {
  await using shop = await TestOrders.open();
  const ids = Array.from({ length: 11 }, (_, index) => `order-${String(index).padStart(2, "0")}`);
  await placeAt(shop, Object.fromEntries(ids.map((id) => [id, 1000])));
  for (const limit of [1, 2, 4, 10, 11, 12]) {
    const pages = await searchAll(shop, { limit });
    expect(pages.flat()).toEqual(ids);
    expect(pages).toHaveLength(Math.ceil(ids.length / limit));
  }
});

test("orders placed or changed between two pages do not disturb them", async () => {
  await using shop = await TestOrders.open();
  await placeAt(shop, { A: 1000, B: 2000, C: 3000, D: 4000 });
  const { ids, cursor } = await search(shop, { statuses: ["queued"], limit: 2 });
  expect(ids).toEqual(["A", "B"]);
  for (const orderId of ["B", "C"]) await shop.orders.cancel({ orderId, canceller: "customer", reason: "customer" });
  await placeAt(shop, { E: 5000 });
  expect(await search(shop, { statuses: ["queued"], limit: 2, cursor })).toEqual({
    ids: ["D", "E"],
    cursor: undefined,
  });
});

test("a cursor whose order is no longer kept is gone", async () => {
  await using shop = await TestOrders.open();
  await placeAt(shop, { A: 1000, B: 2000, C: 3000 });
  const { cursor } = await search(shop, { limit: 1 });
  expect(cursor).toBe("A");
  await shop.client.zrem(shop.key("orders"), "A");
  expect(await shop.orders.search({ ...EVERYTHING, cursor })).toEqual({ kind: "cursor_gone" });
  // A's customer had none.
  expect(await shop.orders.search({ ...EVERYTHING, customerId: "c1", cursor: "B" })).toEqual({ kind: "cursor_gone" });
});

test("orders that are forgotten but still in the index are passed over", async () => {
  await using shop = await TestOrders.open();
  await placeAt(shop, { A: 1000, B: 2000, C: 3000 });
  await shop.client.del(shop.key("order:A"), shop.key("order:B"));
  expect(await search(shop, { limit: 1 })).toEqual({ ids: ["C"], cursor: undefined });
});

test("a search examines a thousand orders a call, and its cursor goes on across them", async () => {
  await using shop = await TestOrders.open();
  const ids = Array.from({ length: 2500 }, (_, index) => `order-${String(index).padStart(4, "0")}`);
  await Promise.all(ids.map((orderId) => shop.orders.place({ orderId, queue: "default", draft: {} })));
  await Promise.all([
    shop.orders.cancel({ orderId: "order-0999", canceller: "customer", reason: "customer" }),
    shop.orders.cancel({ orderId: "order-2400", canceller: "customer", reason: "customer" }),
  ]);
  // The order in which the index has them: those of one millisecond by name, which is the order of placing.
  expect(await searchAll(shop, { statuses: ["cancelled"] })).toEqual([["order-0999"], [], ["order-2400"]]);
  const pages = await searchAll(shop, { limit: 800 });
  expect(pages.flat()).toEqual(ids);
  expect(pages.map(({ length }) => length)).toEqual([800, 800, 800, 100]);
});

test("newest first: the same orders the other way round, a page at a time and in a range too", async () => {
  await using shop = await TestOrders.open();
  await placeAt(shop, { A: 1000, B: 2000, C: 3000, D: 4000 });
  expect((await search(shop, { isNewestFirst: true })).ids).toEqual(["D", "C", "B", "A"]);
  expect(await searchAll(shop, { isNewestFirst: true, limit: 3 })).toEqual([["D", "C", "B"], ["A"]]);
  expect(await searchAll(shop, { isNewestFirst: true, fromMs: 2000, beforeMs: 4000, limit: 1 })).toEqual([
    ["C"],
    ["B"],
  ]);
});

test("by barista, also one whose name JSON has to write in another way", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A", "B", "C"]);
  await shop.start("Grace");
  await shop.start('Grace "the fast" 😀');
  expect((await search(shop, { barista: "Grace" })).ids).toEqual(["A"]);
  expect((await search(shop, { barista: 'Grace "the fast" 😀' })).ids).toEqual(["B"]);
  expect((await search(shop, { barista: "grace" })).ids).toEqual([]);
});

test("by text: the whole number, or a part of drink, note, customer's name or id, in any case of letters", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A"], { draft: { customer_name: "Zoë O'Neil", note: 'no "lid" / hot' } });
  await shop.place(["B"], { draft: { customer_id: "table-12", item: "flat_white" } });
  await shop.place(["C"], { draft: { customer_name: "שרה כהן" } });
  for (let number = 4; number <= 12; number += 1) await shop.place([`N${number}`], { draft: { customer_name: "Bob" } });
  const found = async (text: string) => (await search(shop, { text })).ids;
  expect(await found("zoë o'n")).toEqual(["A"]);
  expect(await found("ZOË")).toEqual(["A"]);
  expect(await found('"LID" /')).toEqual(["A"]);
  expect(await found("flat_w")).toEqual(["B"]);
  expect(await found("כהן")).toEqual(["C"]);
  // A number is meant whole; and the table's id holds it.
  expect(await found("12")).toEqual(["B", "N12"]);
  expect(await found("1")).toEqual(["A", "B"]);
  // What stands between the values is none of them.
  expect(await found("customer_name")).toEqual([]);
  expect(await found("%w")).toEqual([]);
});
