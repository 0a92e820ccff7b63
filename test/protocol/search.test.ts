/** What baristas can look up: the queue, one order, and orders by status, customer and time. */
import { beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import {
  ask,
  brew,
  cancelByCustomer,
  expectOrder,
  expectProblem,
  expectStatus,
  lookAtQueue,
  order,
  place,
  readWireOrder,
  start,
  applyVerb,
  untilHeld,
  type WireOrder,
} from "../support/http.ts";
import { startServer, type Server } from "../support/server.ts";

interface Page {
  readonly orders: readonly WireOrder[];
  readonly cursor: string | null;
}

setDefaultTimeout(60_000);

let server: Server;
let ready: WireOrder;
let cancelled: WireOrder;
let brewing: WireOrder;
let queued: WireOrder[];

beforeAll(async () => {
  server = await startServer();
  await place(server, { customer_id: "ada", item: "latte" });
  ready = await brew(server, "barista=Grace");
  const { order_id } = await place(server, { customer_id: "ada" });
  cancelled = expectOrder(await cancelByCustomer(server, order_id));
  await place(server, { customer_id: "bob" });
  brewing = await start(server, "barista=Grace");
  queued = [];
  for (const customer_id of ["ada", "bob", "bob", "carol"]) queued.push(await place(server, { customer_id }));
});

async function search(query: Record<string, string>): Promise<Page> {
  const answer = await ask(`${server.baristas}/order/?${new URLSearchParams(query).toString()}`);
  expectStatus(answer, 200);
  const page = answer.body as Page;
  expect(Object.keys(page).toSorted()).toEqual(["cursor", "orders"]);
  for (const found of page.orders) readWireOrder(found);
  return page;
}

const numbers = ({ orders }: Page) => orders.map(({ number }) => number);

test("without a filter it finds today's orders, oldest first", async () => {
  const page = await search({});
  expect(numbers(page)).toEqual([1, 2, 3, 4, 5, 6, 7]);
  expect(page.cursor).toBeNull();
  expect(page.orders[0]).toEqual(ready);
  expect(page.orders[1]).toEqual(cancelled);
  expect(page.orders[2]).toEqual(brewing);
});

test("by status", async () => {
  expect(numbers(await search({ status: "ready" }))).toEqual([1]);
  expect(numbers(await search({ status: "cancelled" }))).toEqual([2]);
  expect(numbers(await search({ status: "brewing" }))).toEqual([3]);
  expect(numbers(await search({ status: "queued" }))).toEqual([4, 5, 6, 7]);
});

test("by customer, and by status too", async () => {
  expect(numbers(await search({ customer_id: "ada" }))).toEqual([1, 2, 4]);
  expect(numbers(await search({ customer_id: "bob" }))).toEqual([3, 5, 6]);
  expect(numbers(await search({ customer_id: "bob", status: "queued" }))).toEqual([5, 6]);
  expect(numbers(await search({ customer_id: "nobody" }))).toEqual([]);
  expect(numbers(await search({ customer_id: "{main}:*" }))).toEqual([]);
});

test("customerId is customer_id spelled otherwise, and both at once are refused", async () => {
  const date = ready.placed_at.slice(0, 10);
  expect(numbers(await search({ customerId: "ada", date }))).toEqual([1, 2, 4]);
  for (const other of ["ada", "bob"]) {
    const answer = await ask(`${server.baristas}/order/?customer_id=ada&customerId=${other}`);
    expectProblem(answer, 422, "customerId");
  }
  expectProblem(await ask(`${server.baristas}/order/?customerId=`), 422, "customerId");
});

test("by day (UTC)", async () => {
  const today = ready.placed_at.slice(0, 10);
  const yesterday = new Date(Date.parse(today) - 1).toISOString().slice(0, 10);
  expect(numbers(await search({ date: today }))).toEqual([1, 2, 3, 4, 5, 6, 7]);
  expect(numbers(await search({ date: yesterday }))).toEqual([]);
  expect(numbers(await search({ date: "2024-02-29" }))).toEqual([]);
});

test("by time: from is included, to is not, and they may narrow a day", async () => {
  const times = (await search({})).orders.map(({ placed_at }) => placed_at);
  const after = (time: string) => times.filter((placed) => placed >= time).length;
  const [, , third = ""] = times;
  expect((await search({ from: third })).orders).toHaveLength(after(third));
  expect((await search({ to: third })).orders).toHaveLength(7 - after(third));
  expect((await search({ from: third, to: third })).orders).toHaveLength(0);
  expect((await search({ from: third, date: third.slice(0, 10), status: "queued" })).orders).toHaveLength(4);
  const elsewhere = `${new Date(Date.parse(third) + 7_200_000).toISOString().slice(0, -1)}+02:00`;
  expect((await search({ from: elsewhere })).orders).toHaveLength(after(third));
  expect((await search({ to: "2020-01-01T00:00:00Z" })).orders).toHaveLength(0);
});

test("a page at a time: each order once, in order, with any filter", async () => {
  const filters: Record<string, string>[] = [{}, { customer_id: "bob" }, { status: "queued" }];
  for (const filter of filters) {
    const all = numbers(await search(filter));
    for (const limit of [1, 2, 3, 200]) {
      const seen: number[] = [];
      let cursor: string | null = "";
      while (cursor !== null) {
        const page: Page = await search({ ...filter, limit: String(limit), ...(cursor ? { cursor } : undefined) });
        expect(page.orders.length).toBeLessThanOrEqual(limit);
        seen.push(...numbers(page));
        cursor = page.cursor;
      }
      expect(seen).toEqual(all);
    }
  }
});

test("a search or a look changes nothing", async () => {
  const before = await search({});
  await search({ status: "queued", limit: "1" });
  expectOrder(await ask(`${server.baristas}/order/${brewing.order_id}`), brewing);
  const { orders } = await search({});
  expect(orders.map(({ status, attempts }) => [status, attempts])).toEqual(
    before.orders.map(({ status, attempts }) => [status, attempts]),
  );
});

test("both ports answer the same of an order", async () => {
  for (const { order_id } of [ready, cancelled, brewing]) {
    const [here, there] = [`${server.baristas}/order/${order_id}`, `${server.customers}/order/${order_id}`];
    expect((await ask(here)).text).toBe((await ask(there)).text);
  }
});

test("positions count down as orders are started or cancelled", async () => {
  const positions = async () => (await search({ status: "queued" })).orders.map(({ position }) => position);
  expect(queued.map(({ position }) => position)).toEqual([1, 2, 3, 4]);
  expect(await positions()).toEqual([1, 2, 3, 4]);
  const started = await start(server);
  expect(started.order_id).toBe(queued[0]?.order_id ?? "");
  expect(await positions()).toEqual([1, 2, 3]);
  await cancelByCustomer(server, queued[2]?.order_id ?? "");
  expect((await search({ status: "queued" })).orders.map(({ number, position }) => [number, position])).toEqual([
    [5, 1],
    [7, 2],
  ]);
  expectOrder(await applyVerb(server, "release", started.order_id));
  expect(await positions()).toEqual([1, 2, 3]);
});

test("an expected wait is shown once there is history, and not before", async () => {
  const fresh = await startServer();
  const first = await place(fresh);
  expect(Object.keys(first)).not.toContain("eta_seconds");
  await brew(fresh);
  const second = await place(fresh);
  expect(second.eta_seconds).toBeNumber();
  // It shrinks as time passes: the first order was made in an instant.
  const seen = expectOrder(await ask(`${fresh.customers}/order/${second.order_id}`));
  expect(seen.eta_seconds).toBeGreaterThanOrEqual(0);
  expect(seen.eta_seconds).toBeLessThanOrEqual(second.eta_seconds ?? Number.NaN);
  expect(Object.keys(await start(fresh))).not.toContain("eta_seconds");
  await fresh.stop();
});

test("the queue's view: depth, brewing, the oldest's age, and whom this server holds", async () => {
  const fresh = await startServer();
  const empty = {
    queue: "default",
    depth: 0,
    brewing: 0,
    oldest_waiting_seconds: null,
    held: 0,
    damaged: 0,
    lease_seconds: 900,
  };
  expect(await lookAtQueue(fresh)).toEqual(empty);
  const waiting = [order(fresh), order(fresh), order(fresh)];
  await untilHeld(fresh, 3);
  const { order_id } = await start(fresh);
  const { oldest_waiting_seconds, ...view } = await lookAtQueue(fresh);
  expect(view).toEqual({ queue: "default", depth: 2, brewing: 1, held: 3, damaged: 0, lease_seconds: 900 });
  expect(oldest_waiting_seconds).toBeGreaterThanOrEqual(0);
  const other = (await ask(`${fresh.baristas}/queue?queue=other`)).body;
  expect(other).toEqual({ ...empty, queue: "other", held: 3 });
  await brew(fresh);
  await brew(fresh);
  expectOrder(await applyVerb(fresh, "cancel", order_id), { status: "cancelled" });
  await Promise.all(waiting);
  await untilHeld(fresh, 0);
  await fresh.stop();
});

test("probes: it lives, and it is ready", async () => {
  for (const base of [server.customers, server.baristas]) {
    expect((await ask(`${base}/livez`)).body).toEqual({ status: "live" });
    expect((await ask(`${base}/readyz`)).body).toEqual({ status: "ready" });
  }
});
