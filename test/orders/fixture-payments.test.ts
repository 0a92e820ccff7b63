/**
 * Owns the tests of stored formats for payments: each change of a payment, of each stored order, and what is read of
 * them, comes to the same as in a shop made live.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Orders } from "../../src/orders/orders.ts";
import { LASTING } from "../fixtures/shop.ts";
import { IDS_2 } from "../fixtures/shop-2.ts";
import { Comparison, FORMATS } from "./exhibits.ts";

setDefaultTimeout(60_000);

const LOOK_MS = LASTING.leaseSeconds * 1000;

type Ask = (payments: Orders["payments"], orderId: string) => Promise<{ kind: string; why?: string }>;

const authorise: Ask = (payments, orderId) =>
  payments.authorise({ orderId, intentId: `pi_${orderId}`, amount: 400, captureBeforeMs: null, lookMs: LOOK_MS });

/** Each change, and the outcomes that it has among all orders of format 2. (Format 1 had no payments.) */
const SWEEPS: readonly [string, Ask, readonly string[]][] = [
  ["find", (payments, id) => payments.find(id), ["found"]],
  [
    "attempt",
    (payments, orderId) => payments.attempt({ orderId, method: "pm_card_visa", lookMs: LOOK_MS }),
    ["attempted", "joined", "refused: counter", "refused: paid", "refused: over"],
  ],
  [
    "attempt, another card",
    (payments, orderId) => payments.attempt({ orderId, method: "pm_2", lookMs: LOOK_MS }),
    ["attempted", "refused: under_way", "refused: counter", "refused: paid", "refused: over"],
  ],
  [
    "decline",
    (payments, orderId) => payments.decline({ orderId, attempt: 1, intentId: `pi_${orderId}`, error: "no" }),
    ["changed", "refused: over"],
  ],
  ["authorise", authorise, ["changed", "refused: over"]],
  ["take", (payments, orderId) => payments.take({ orderId, barista: "Gräce “G”" }), ["changed", "refused: card"]],
  ["capture", (payments, orderId) => payments.capture(orderId), ["changed", "refused: over", "refused: open"]],
  ["reverse", (payments, orderId) => payments.reverse({ orderId }), ["changed", "refused: over", "refused: open"]],
  [
    "reverse, lapsed",
    (payments, orderId) => payments.reverse({ orderId, error: "it lapsed" }),
    ["changed", "refused: over", "refused: open"],
  ],
  [
    "refund",
    (payments, orderId) => payments.refund({ orderId, reason: "cold", barista: "Ada" }),
    ["changed", "refused: unpaid", "refused: open"],
  ],
  ["repay", (payments, orderId) => payments.repay({ orderId }), ["changed", "refused: over"]],
  ["repay, refused", (payments, orderId) => payments.repay({ orderId, error: "no" }), ["changed", "refused: over"]],
];

describe.each(["1", "2"] as const)("format %s", (format) => {
  const { ids } = FORMATS[format];
  let both: Comparison;
  beforeAll(async () => {
    both = await Comparison.open(FORMATS[format]);
  });
  afterAll(() => both[Symbol.asyncDispose]());

  test.each(SWEEPS)("%s, of each order", async (_change, ask, outcomes) => {
    const answers = await both.expectSame(async (_shop, orders) => {
      const found: { kind: string; why?: string }[] = [];
      for (const id of Object.values(ids)) found.push(await ask(orders.payments, id));
      return found;
    });
    const kinds = new Set(answers.map(({ kind, why }) => (why === undefined ? kind : `${kind}: ${why}`)));
    expect(kinds).toEqual(new Set(format === "1" ? ["unknown"] : ["unknown", ...outcomes]));
  });

  test("payments are searched, and taken once they are due", async () => {
    const [everything, some, due, ...after] = await both.expectSame(async (_shop, { payments }) => {
      const all = { fromMs: 0, beforeMs: 1e15, limit: 100 };
      const take = { leaseMs: LOOK_MS, againMs: LOOK_MS, most: 100 };
      return [
        await payments.search(all),
        await payments.search({ ...all, limit: 2, status: "PAYMENT_PENDING" }),
        (await payments.takeDue(take)).payments,
        (await payments.takeDue(take)).payments,
        await payments.putOff(Object.values(ids), 0),
        (await payments.takeDue(take)).payments.toSorted((one, other) => (one.orderId < other.orderId ? -1 : 1)),
      ] as const;
    });
    if (everything.kind !== "page" || some.kind !== "page") throw new Error(everything.kind);
    if (format === "1") {
      expect([everything.payments, some.payments, due, ...after]).toEqual([[], [], [], [], 0, []]);
      return;
    }
    expect(everything.payments).toHaveLength(12);
    expect(some.payments).toHaveLength(2);
    expect(due.map(({ orderId }) => orderId)).toEqual([
      IDS_2["asked to be refunded"],
      IDS_2["cancelled, its card being tried"],
    ]);
    expect(after).toMatchObject([[], 5, [{ method: "pm_card_visa" }, {}, {}, {}, {}]]);
  });
});
