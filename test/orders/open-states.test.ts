/** Owns the tests of measure-states.lua and list-state.lua. */
import { expect, test } from "bun:test";
import { TestOrders } from "../support/orders.ts";

const NONE = { reserved: 0, unpaid: 0, scheduled: 0, queued: 0, brewing: 0 };
const DEFAULT = "default";

const idsOf = (orders: readonly { readonly order_id: string }[]): string[] => orders.map(({ order_id }) => order_id);

async function listAll(shop: TestOrders, state: "queued" | "brewing" | "reserved" | "scheduled", limit = 2) {
  const pages: string[][] = [];
  let cursor: string | undefined;
  do {
    const page = await shop.orders.listState({ state, queue: DEFAULT, cursor, limit });
    pages.push(idsOf(page.orders));
    cursor = page.cursor;
  } while (cursor !== undefined);
  return pages;
}

test("each open order counts in its state, and each event of the last minute by its type", async () => {
  await using shop = await TestOrders.open();
  expect(await shop.orders.measureStates(DEFAULT)).toEqual({
    open: NONE,
    spanMs: 60_000,
    events: {},
    machineQueues: [],
  });
  await shop.place(["A", "B", "C", "D"]);
  await shop.start("Grace");
  await shop.start("Grace");
  await shop.orders.finish({ orderId: "A" });
  await shop.orders.cancel({ orderId: "D", canceller: "customer", reason: "customer" });
  const changes = await shop.changes(async () => {
    expect(await shop.orders.measureStates(DEFAULT)).toEqual({
      open: { ...NONE, queued: 1, brewing: 1 },
      spanMs: 60_000,
      events: { "order.placed": 4, "order.started": 2, "order.finished": 1, "order.cancelled": 1 },
      machineQueues: [],
    });
  });
  expect(changes).toEqual({});
});

test("in a rush it looks at the newest events, and says how far back they reach", async () => {
  await using shop = await TestOrders.open();
  await shop.place(Array.from({ length: 2500 }, (_, index) => `O${index}`));
  const { open, spanMs, events } = await shop.orders.measureStates(DEFAULT);
  expect(open.queued).toBe(2500);
  expect(events["order.placed"]).toBeGreaterThanOrEqual(1000);
  expect(events["order.placed"]).toBeLessThan(2500);
  expect(spanMs).toBeGreaterThan(0);
  expect(spanMs).toBeLessThanOrEqual(60_000);
});

test("a damaged index counts as empty, and hides nothing else", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A"]);
  await shop.client.set(shop.key("scheduled:default"), "?");
  expect((await shop.orders.measureStates(DEFAULT)).open).toEqual({ ...NONE, queued: 1 });
  expect(await shop.orders.listState({ state: "scheduled", queue: DEFAULT, limit: 2 })).toEqual({
    kind: "page",
    orders: [],
  });
});

test("the queued ones come as they are to be started, page by page, also where some leave meanwhile", async () => {
  await using shop = await TestOrders.open();
  expect(await listAll(shop, "queued")).toEqual([[]]);
  await shop.place(["A", "B", "C", "D", "E"]);
  expect(await listAll(shop, "queued")).toEqual([["A", "B"], ["C", "D"], ["E"]]);
  const first = await shop.orders.listState({ state: "queued", queue: DEFAULT, limit: 2 });
  await shop.start("Grace");
  await shop.start("Grace");
  const next = await shop.orders.listState({ state: "queued", queue: DEFAULT, limit: 2, cursor: first.cursor });
  expect(idsOf(next.orders)).toEqual(["C", "D"]);
  expect(await listAll(shop, "brewing")).toEqual([["A", "B"]]);
  // One that failed, and is to be tried again later, is queued: it comes last.
  await shop.orders.fail({ orderId: "A", error: "jammed", retry: true, retryAfterMs: 60_000 });
  expect(await listAll(shop, "queued", 3)).toEqual([["C", "D", "E"], ["A"]]);
  expect(await listAll(shop, "queued", 4)).toEqual([["C", "D", "E", "A"]]);
});

test("more orders than a call looks at may be for the same time", async () => {
  await using shop = await TestOrders.open();
  const ids = Array.from({ length: 1001 }, (_, index) => `O${1000 + index}`);
  await shop.place(ids);
  await shop.client.zadd(shop.key("waiting:default"), ...ids.flatMap((id) => [1, id]));
  const pages = await listAll(shop, "queued", 200);
  expect(pages.map(({ length }) => length)).toEqual([200, 200, 200, 200, 200, 1]);
  expect(pages.flat()).toEqual(ids);
});
