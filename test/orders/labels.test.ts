/** Orders of queues of machines that were given a label: how they are found, and what becomes of the indexes. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import type { LabelSearch } from "../../src/orders/labels.ts";
import { declareQueues, toQueueRules } from "../../src/orders/queues.ts";
import { ORDER_SETTINGS, TestOrders } from "../support/orders.ts";
import { silent } from "../support/redis.ts";
import { spoil } from "../support/damage.ts";

const QUEUE = "press";
let shop: TestOrders;

beforeEach(async () => {
  shop = await TestOrders.open();
  await declare(7200);
});
afterEach(() => shop[Symbol.asyncDispose]());

async function declare(retentionSeconds: number): Promise<void> {
  const named = { name: QUEUE, retention_seconds: retentionSeconds };
  await declareQueues(shop.redis.run, [toQueueRules(named, ORDER_SETTINGS)], silent);
}

async function call(label: string | undefined, orderId: string = Bun.randomUUIDv7()): Promise<string> {
  const outcome = await shop.orders.call({ orderId, queue: QUEUE, input: "{}", label });
  expect(outcome.kind).toBe("placed");
  return orderId;
}

async function numbersOf(search: Omit<LabelSearch, "queue" | "limit">): Promise<(readonly [string, unknown])[]> {
  const page = await shop.orders.searchLabelled({ queue: QUEUE, limit: 100, ...search });
  return page.found.map(({ label, order }) => [label, (JSON.parse(order) as { number: number }).number]);
}

/** Starts the next order and fails it for good. */
async function die(): Promise<string> {
  const orderId = await shop.start("Grace", { queue: QUEUE });
  if (orderId === null) throw new Error("there is no order");
  await shop.orders.fail({ orderId, barista: "Grace", error: "jammed", retry: false, retryAfterMs: 0 });
  return orderId;
}

test("one is found by its number; one without a label is not", async () => {
  const id = await call("one");
  await call(undefined);
  expect(await shop.orders.findLabelled({ queue: QUEUE, number: 1 })).toMatchObject({
    kind: "found",
    label: "one",
    order: { order_id: id, number: 1 },
  });
  expect(await shop.orders.findLabelled({ queue: QUEUE, number: 2 })).toEqual({ kind: "unknown" });
  expect(await shop.orders.findLabelled({ queue: QUEUE, number: 3 })).toEqual({ kind: "unknown" });
  expect(await numbersOf({})).toEqual([["one", 1]]);
});

test("a label that is another's beginning comes first, and numbers within a label by their digits", async () => {
  for (const label of ["ab", "a", "a-", "ab", "b"]) await call(label);
  expect(await numbersOf({ prefix: "a" })).toEqual([
    ["a", 2],
    ["a-", 3],
    ["ab", 1],
    ["ab", 4],
  ]);
  expect(await numbersOf({ prefix: "a", cursor: { label: "ab", number: "1" } })).toEqual([["ab", 4]]);
  expect(await numbersOf({ cursor: { label: "ab", number: "4" } })).toEqual([
    ["a-", 3],
    ["a", 2],
    ["ab", 1],
  ]);
});

test("a search looks at a bounded number of them, and says where to go on", async () => {
  await Promise.all(Array.from({ length: 1001 }, () => call("many")));
  for (const prefix of [undefined, "many"]) {
    const page = await shop.orders.searchLabelled({ queue: QUEUE, prefix, isReady: true, limit: 100 });
    expect(page.found).toEqual([]);
    if (!page.cursor) throw new Error("it does not say where to go on");
    const rest = await shop.orders.searchLabelled({ queue: QUEUE, prefix, limit: 100, cursor: page.cursor });
    expect(rest.found).toHaveLength(1);
    expect(rest.cursor).toBeUndefined();
  }
});

test("an order that is made again has the label of the first", async () => {
  await call("one");
  const dead = await die();
  const retried = await shop.orders.retry({ orderId: dead, newId: Bun.randomUUIDv7() });
  expect(retried.kind).toBe("retried");
  expect(await numbersOf({ prefix: "one" })).toEqual([
    ["one", 1],
    ["one", 2],
  ]);
});

test("one that is damaged is left out, and said to be", async () => {
  const id = await call("one");
  await call("two");
  await spoil(shop.client, `${shop.prefix}order:${id}`);
  expect(await shop.orders.findLabelled({ queue: QUEUE, number: 1 })).toEqual({ kind: "damaged" });
  expect(await numbersOf({})).toEqual([["two", 2]]);
});

test("what retention removed leaves the indexes", async () => {
  await declare(0.001);
  await call("one");
  await call("two");
  await die();
  await call("three");
  await shop.orders.forget("");
  for (const index of ["labels", "numbers"]) {
    expect(await shop.client.zcard(`${shop.prefix}calls:${index}:${QUEUE}`)).toBe(2);
  }
  expect(await numbersOf({})).toEqual([
    ["three", 3],
    ["two", 2],
  ]);
});

test("of what was dead from the start only the newest leave anything", async () => {
  for (let first = 0; first < 1200; first += 100) {
    const burials = Array.from({ length: 100 }, (_, index) =>
      shop.orders.bury({
        orderId: Bun.randomUUIDv7(),
        queue: QUEUE,
        input: "1",
        error: "no demand",
        idempotencyKey: `demand ${first + index}`,
      }),
    );
    expect((await Promise.all(burials)).every(({ kind }) => kind === "buried")).toBe(true);
  }
  const keys = await shop.client.keys(`${shop.prefix}*`);
  const countOf = (kind: string): number => keys.filter((key) => key.startsWith(`${shop.prefix}${kind}:`)).length;
  expect([countOf("order"), countOf("once")]).toEqual([1000, 1000]);
  for (const index of ["buried", "dead", `calls:${QUEUE}`]) {
    expect(await shop.client.zcard(shop.prefix + index)).toBe(1000);
  }
  const again = { queue: QUEUE, input: "1", error: "no demand" };
  const orderId = Bun.randomUUIDv7();
  expect(await shop.orders.bury({ ...again, orderId, idempotencyKey: "demand 1199" })).toEqual({ kind: "joined" });
});
