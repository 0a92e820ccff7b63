/**
 * Owns the tests of stored formats: a shop that an older version left behind is to this one as if it had made it
 * itself. Two shops that were made alike, one stored and one live, are asked for the same: the answers and the keys
 * differ in times only. Here: each operation, of each order. What is read is in fixture-queries.test.ts.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Orders } from "../../src/orders/orders.ts";
import { choiceOf, claimOf, CODE, HOLDER, type IDS, placementOf, reservationOf } from "../fixtures/shop.ts";
import { callOf, IDS_2 } from "../fixtures/shop-2.ts";
import { Comparison, FORMATS } from "./exhibits.ts";

setDefaultTimeout(60_000);

const NEW_ID = "01938a5e-7c1b-7f3e-9a52-000000000099";

type Ask = (orders: Orders, orderId: string, name: keyof typeof IDS) => Promise<{ kind: string }>;
const DEFAULT = "default";

/** Each operation, and the outcomes that it has among all orders. */
const SWEEPS: readonly [string, Ask, readonly string[]][] = [
  ["find", (orders, id) => orders.find(id), ["found"]],
  ["watch", (orders, orderId) => orders.watch({ orderId, holder: HOLDER }), ["watching", "final"]],
  [
    "place, joined by its Idempotency-Key",
    (orders, orderId, name) => {
      const idempotencyKey = `once-${orderId}`;
      return orders.place({
        ...placementOf(name),
        orderId: `${orderId.slice(0, -3)}9${orderId.slice(-2)}`,
        idempotencyKey,
      });
    },
    ["placed", "joined", "mismatch"],
  ],
  ["place, sent again", (orders, orderId, name) => orders.place({ ...placementOf(name), orderId }), ["placed"]],
  [
    "place, another body under its Idempotency-Key",
    (orders, orderId) =>
      orders.place({ orderId: NEW_ID, queue: DEFAULT, draft: { note: "?" }, idempotencyKey: `once-${orderId}` }),
    ["placed", "mismatch"],
  ],
  [
    "reserve, joined by its Idempotency-Key",
    (orders, orderId, name) =>
      orders.reserve({ ...reservationOf(name), orderId: NEW_ID, idempotencyKey: `once-${orderId}` }),
    ["reserved", "mismatch"],
  ],
  [
    "reserve, sent again",
    (orders, orderId, name) => orders.reserve({ ...reservationOf(name), orderId, idempotencyKey: undefined }),
    ["reserved"],
  ],
  ["complete", (orders, orderId, name) => orders.complete({ ...choiceOf(name), orderId }), ["changed", "conflict"]],
  [
    "complete, another choice",
    (orders, orderId) => orders.complete({ orderId, queue: DEFAULT, completion: { item: "tea" } }),
    ["refused", "conflict"],
  ],
  [
    "start, chosen",
    (orders, orderId) => orders.start({ orderId, barista: "Ada", queue: DEFAULT, claimId: `new-${orderId}` }),
    ["started", "conflict"],
  ],
  [
    "start, under the claim of before",
    (orders, orderId) => orders.start({ barista: "Gräce “G”", queue: DEFAULT, claimId: claimOf(orderId) }),
    ["started", "empty"],
  ],
  [
    "start, after a finish",
    (orders, orderId) => orders.start({ barista: "Gräce “G”", queue: "machines", after: orderId }),
    ["started", "empty"],
  ],
  ["start, the next", (orders) => orders.start({ barista: "Ada", queue: DEFAULT }), ["started", "empty"]],
  ["finish", (orders, orderId) => orders.finish({ orderId, result: '{"cups":1}' }), ["changed", "conflict"]],
  ["finish, by Linus", (orders, orderId) => orders.finish({ orderId, barista: "Linus" }), ["changed", "conflict"]],
  [
    "fail, and try again",
    (orders, orderId) => orders.fail({ orderId, error: "jam", retry: true, retryAfterMs: 0 }),
    ["changed", "conflict"],
  ],
  [
    "fail, and try again later",
    (orders, orderId) => orders.fail({ orderId, error: "jam", retry: true, retryAfterMs: 3_600_000 }),
    ["changed", "conflict"],
  ],
  [
    "fail for good",
    (orders, orderId) => orders.fail({ orderId, error: "jam", retry: false, retryAfterMs: 0 }),
    ["changed", "conflict"],
  ],
  ["release", (orders, orderId) => orders.release({ orderId }), ["changed", "conflict"]],
  ["extend", (orders, orderId) => orders.extend({ orderId }), ["changed", "conflict"]],
  [
    "cancel, by the customer",
    (orders, orderId) => orders.cancel({ orderId, canceller: "customer", reason: "customer" }),
    ["changed", "conflict"],
  ],
  [
    "cancel, by a barista",
    (orders, orderId) => orders.cancel({ orderId, canceller: "barista", reason: "payment_failed" }),
    ["changed", "conflict"],
  ],
  [
    "release, its start uncounted",
    (orders, orderId) => orders.release({ orderId, isUncounted: true }),
    ["changed", "conflict"],
  ],
  ["progress", (orders, orderId) => orders.progress({ orderId, progress: '{"percent":7}' }), ["changed", "conflict"]],
  [
    "retry",
    (orders, orderId) => orders.retry({ orderId, newId: `${orderId.slice(0, -3)}8${orderId.slice(-2)}` }),
    ["retried", "conflict"],
  ],
];

describe.each(["1", "2"] as const)("format %s", (format) => {
  const { ids } = FORMATS[format];
  let both: Comparison;
  beforeAll(async () => {
    both = await Comparison.open(FORMATS[format]);
  });
  afterAll(() => both[Symbol.asyncDispose]());

  test.each(SWEEPS)("%s, of each order", async (_operation, ask, kinds) => {
    const answers = await both.expectSame(async (_shop, orders) => {
      const found: { name: string; kind: string }[] = [];
      for (const [name, id] of Object.entries(ids))
        found.push({ name, ...(await ask(orders, id, name as keyof typeof IDS)) });
      return found;
    });
    expect(new Set(answers.map(({ kind }) => kind))).toEqual(new Set(kinds));
  });

  test("expire and requeue: what is due is cancelled, or offered again", async () => {
    const [due, ...found] = await both.expectSame(async (_shop, orders) => [
      await orders.expire(),
      await orders.find(ids["reserved, its time over"] ?? ""),
      await orders.find(ids["brewing, its last lease over"] ?? ""),
      await orders.start({ barista: "Ada", queue: DEFAULT, orderId: ids["queued and due now"] }),
      await orders.expire(),
    ]);
    expect(due).toEqual({ nextMs: 0, cancelled: 2 });
    expect(found).toMatchObject([
      { status: "cancelled" },
      { status: "cancelled" },
      { kind: "started" },
      { cancelled: 0 },
    ]);
  });

  test("the code of before opens a reservation", async () => {
    const outcome = await both.expectSame((_shop, orders) =>
      orders.reserve({ orderId: NEW_ID, draft: { code: CODE } }),
    );
    expect(outcome.kind).toBe("reserved");
  });

  test("an order that is changed is kept in this version's format, and others as they were", async () => {
    const { old } = both;
    await old.reset();
    expect(await old.shop.client.get(old.shop.key("format"))).toBe(`2 0.1.0 ${format}`);
    await old.shop.orders.finish({ orderId: ids["brewing under a claim"] ?? "" });
    const formatOf = async (name: string) => (await old.shop.client.get(old.shop.key(`order:${ids[name]}`)))?.[0];
    expect(await formatOf("brewing under a claim")).toBe("2");
    expect(await formatOf("queued")).toBe(format);
  });
});

describe("format 2: what machines are asked for", () => {
  let both: Comparison;
  beforeAll(async () => {
    both = await Comparison.open(FORMATS[2]);
  });
  afterAll(() => both[Symbol.asyncDispose]());

  test("a call is joined by its key, another input is a mismatch, and a new one comes last", async () => {
    const outcomes = await both.expectSame(async (_shop, orders) => [
      await orders.call({ ...callOf("call queued"), orderId: NEW_ID }),
      await orders.call({ ...callOf("call ready with a result"), orderId: NEW_ID }),
      await orders.call({ ...callOf("call ready with a result"), orderId: NEW_ID, input: "2" }),
      await orders.call({ orderId: NEW_ID, queue: "thumbs", input: "[]", bucket: "queue-thumbs:ip" }),
    ]);
    expect(outcomes).toMatchObject([
      { kind: "joined", orderId: IDS_2["call queued"] },
      { kind: "joined", orderId: IDS_2["call ready with a result"] },
      { kind: "mismatch" },
      { kind: "placed", tokens: { remaining: 9 } },
    ]);
  });

  test("machines start what is queued, in its order, and finish it", async () => {
    const outcomes = await both.expectSame(async (_shop, orders) => {
      const start = () => orders.start({ barista: "Ada", queue: "thumbs" });
      const [first, second, third] = [await start(), await start(), await start()];
      const finished = await orders.finish({ orderId: IDS_2["call made again"], result: "1" });
      return [first, second, third, finished];
    });
    expect(outcomes).toMatchObject([
      { kind: "started", orderId: IDS_2["call queued"] },
      { kind: "started", orderId: IDS_2["call made again"] },
      { kind: "empty" },
      { kind: "changed" },
    ]);
  });

  test("what was buried once is not buried again", async () => {
    const bury = (orders: Orders, idempotencyKey: string) =>
      orders.bury({ orderId: NEW_ID, queue: "thumbs", input: "1", error: "no", idempotencyKey });
    const outcomes = await both.expectSame(async (_shop, orders) => [
      await bury(orders, "bury"),
      await bury(orders, "another"),
    ]);
    expect(outcomes).toEqual([{ kind: "joined" }, { kind: "buried" }]);
  });
});
