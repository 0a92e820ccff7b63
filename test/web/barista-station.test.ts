/** The station: which orders a staff page finds when it is loaded. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import type { Order } from "../../src/orders/order.ts";
import { inQueueOrder } from "../../src/web/shared/staff/floor.svelte.ts";
import { Station } from "../../src/web/shared/staff/station.svelte.ts";
import { until } from "../support/until.ts";
import { makeOrder } from "./barista-orders.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** What the shop has. */
let orders: Order[];
/** How long the oldest queued order waits. */
let oldestSeconds: number | null;
let searches: URLSearchParams[];
let station: Station | undefined;

beforeEach(() => {
  orders = [];
  oldestSeconds = null;
  searches = [];
});

afterEach(() => station?.close());

/** A shop that answers as the baristas' port does, two orders a page. */
async function answer(path: string, { signal }: RequestInit): Promise<Response> {
  const { pathname, searchParams } = new URL(path, "http://shop.example");
  if (pathname === "/events") {
    const body = new ReadableStream({
      start: (stream) => signal?.addEventListener("abort", () => stream.error(signal.reason)),
    });
    return new Response(body);
  }
  if (pathname === "/queue") return Response.json({ oldest_waiting_seconds: oldestSeconds });
  if (pathname !== "/order/") return Response.json({});
  searches.push(searchParams);
  const { status, from = "", to = "9", cursor } = Object.fromEntries(searchParams);
  const found = orders
    .filter((order) => order.status === status && order.placed_at >= from && order.placed_at < to)
    .toSorted((one, other) => one.placed_at.localeCompare(other.placed_at));
  const first = found.findIndex(({ order_id }) => order_id === cursor) + 1;
  const page = found.slice(first, first + 2);
  return Response.json({ orders: page, cursor: first + 2 < found.length ? page.at(-1)?.order_id : null });
}

/** The numbers of the orders that a board has once it is live, in the order of the queue. */
async function load(): Promise<(number | undefined)[]> {
  const storage = { getItem: () => null, setItem: () => {}, removeItem: () => {} };
  station = new Station({ states: ["queued", "brewing", "ready"], storage, fetch: answer });
  station.open();
  await until(() => station?.connection === "live", "it is live");
  return inQueueOrder(station.orders).map(({ number }) => number);
}

const ago = (ms: number): string => new Date(Date.now() - ms).toISOString();

function ready(number: number, placedMs: number, finishedMs: number): Order {
  return makeOrder(number, "ready", { placed_at: ago(placedMs), finished_at: ago(finishedMs) });
}

test("what is ready is there after a reload, however long it had to wait; what left the board is not", async () => {
  orders = [
    ready(1, 20 * HOUR_MS, MINUTE_MS),
    ready(2, 9 * HOUR_MS, 9 * MINUTE_MS),
    ready(3, 9 * HOUR_MS, 11 * MINUTE_MS),
    ready(4, 3 * HOUR_MS, 2 * MINUTE_MS),
    ready(5, 20 * MINUTE_MS, 15 * MINUTE_MS),
    ready(6, 20 * MINUTE_MS, MINUTE_MS),
    ready(7, 5 * MINUTE_MS, MINUTE_MS),
    makeOrder(8, "queued", { placed_at: ago(MINUTE_MS) }),
  ];
  oldestSeconds = 60;
  expect(new Set(await load())).toEqual(new Set([1, 2, 4, 6, 7, 8]));
});

test("a shop with any number of ready orders is loaded all the same, with those placed last", async () => {
  orders = Array.from({ length: 100 }, (_, index) => ready(index, 12 * HOUR_MS - index * MINUTE_MS, 5 * MINUTE_MS));
  orders.push(ready(100, 10 * MINUTE_MS, MINUTE_MS));
  const found = await load();
  expect(found).toContain(100);
  expect(searches.filter((search) => search.get("status") === "ready").length).toBeLessThan(20);
});

test("what is open is found a day back before the oldest that waits", async () => {
  orders = [
    makeOrder(1, "brewing", { placed_at: ago(25 * HOUR_MS) }),
    makeOrder(2, "queued", { placed_at: ago(2 * HOUR_MS) }),
  ];
  oldestSeconds = 7200;
  expect(await load()).toEqual([1, 2]);
});
