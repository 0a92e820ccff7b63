/**
 * A small part of what `bun run kills --till 1000` does: orders are paid by card while replicas are killed. And the
 * judge itself: what goes wrong is a violation.
 */
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { killAtTheTill, violationsOf } from "../kills/till.ts";
import { TestRedis } from "../support/redis.ts";
import { stopServers } from "../support/server.ts";

setDefaultTimeout(180_000);

let redis: TestRedis | undefined;
afterEach(async () => {
  await stopServers();
  await redis?.stop();
  redis = undefined;
});

test("whatever is killed, what the acquirer took is what the ready orders cost, and nothing stays held", async () => {
  redis = await TestRedis.start();
  const report = await killAtTheTill({ redis, orders: 100, killEveryMs: 1000, secondsToPay: 5 });
  expect(report.violations).toEqual([]);
  // Not vacuous.
  expect(report.orders).toBe(100);
  expect(report.kills).toBeGreaterThan(2);
  expect(report.ready).toBeGreaterThan(30);
  expect(report.cancelled).toBeGreaterThan(0);
});

describe("the judge finds", () => {
  const id = "01938a5e-7c1b-7f3e-9a52-6f1d2c3b4a59";
  const ORDER = {
    order_id: id,
    status: "ready",
    attempts: 1,
    placed_at: "2026-11-20T09:30:00.120Z",
    price: 400,
  } as const;
  const PAYMENT = {
    payment_id: id,
    order_id: id,
    status: "PAYMENT_SUCCESSFUL",
    kind: "card",
    amount: 400,
    currency: "eur",
    created_at: "2026-11-20T09:30:00.120Z",
  } as const;
  const ROW = {
    id: "pi_1",
    order_id: id,
    status: "succeeded",
    amount: 400,
    authorised: 400,
    authorisations: 1,
    held: 0,
    captured: 400,
    captures: 1,
    refunded: 0,
    refunds: 0,
  };
  const CANCELLED = { ...ORDER, status: "cancelled" } as const;
  const FREED = { ...PAYMENT, status: "PAYMENT_REFUNDED" } as const;

  test("nothing wrong with what is right", () => {
    expect(violationsOf(ORDER, PAYMENT, [ROW])).toEqual([]);
    expect(violationsOf(CANCELLED, FREED, [{ ...ROW, captured: 0, captures: 0 }])).toEqual([]);
    expect(violationsOf(CANCELLED, { ...PAYMENT, status: "PAYMENT_FAILED" }, [])).toEqual([]);
  });

  test.each([
    ["an order that was captured twice", () => violationsOf(ORDER, PAYMENT, [{ ...ROW, captures: 2 }])],
    ["one that was not captured", () => violationsOf(ORDER, PAYMENT, [{ ...ROW, captured: 0, captures: 0 }])],
    ["another amount", () => violationsOf(ORDER, { ...PAYMENT, amount: 1 }, [ROW])],
    ["two intents", () => violationsOf(ORDER, PAYMENT, [ROW, ROW])],
    ["a refund that staff did not ask for", () => violationsOf(ORDER, PAYMENT, [{ ...ROW, refunds: 1 }])],
    [
      "a refund that was made twice",
      () => violationsOf(ORDER, { ...FREED, refund_reason: "cold" }, [{ ...ROW, refunds: 2 }]),
    ],
    ["a cancelled order that was captured", () => violationsOf(CANCELLED, FREED, [ROW])],
    [
      "an amount that is held for ever",
      () => violationsOf(CANCELLED, FREED, [{ ...ROW, captured: 0, captures: 0, held: 400 }]),
    ],
    ["an order that is not over", () => violationsOf({ ...ORDER, status: "queued" }, FREED, [])],
    ["an order without a payment", () => violationsOf(ORDER, undefined, [])],
    ["a payment that is not settled", () => violationsOf(ORDER, { ...PAYMENT, status: "PAYMENT_CREATED" }, [ROW])],
  ])("%s", (_, judge) => {
    expect(judge()).not.toEqual([]);
  });
});
