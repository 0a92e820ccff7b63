/** What both pages say of money: amounts, and where they are. */
import { describe, expect, test } from "bun:test";
import type { Payment, PaymentStatus } from "../../src/orders/payment.ts";
import { lapsesSoon, mayBeGivenBack, stateOf } from "../../src/web/shared/staff/payment-words.ts";
import { sayMoney } from "../../src/web/customer/payment-words.ts";
import { formatPrice } from "../../src/web/shared/money.ts";
import { at, makeOrder } from "./barista-orders.ts";

const AT = at("09:30:00");

function makePayment(status: PaymentStatus, more: Partial<Payment> = {}): Payment {
  const id = "order-17";
  return { payment_id: id, order_id: id, status, kind: "card", amount: 400, currency: "eur", created_at: AT, ...more };
}

test.each([
  [400, "usd", /^\$4\.00$/],
  [1250, "chf", /^CHF\s12\.50$/],
  // Yen have no cents.
  [400, "jpy", /^¥400$/],
  [400, undefined, /^4\.00$/],
] as const)("%i of %s is written as money", (amount, currency, expected) => {
  expect(formatPrice(amount, currency)).toMatch(expected);
});

describe("staff read", () => {
  test.each([
    ["PAYMENT_PENDING", { expires_at: AT }, "to be paid"],
    ["PAYMENT_PENDING", { expires_at: AT, is_under_way: true }, "the bank is asked"],
    ["PAYMENT_PENDING", {}, "being called off"],
    ["PAYMENT_CREATED", {}, "held on the card"],
    ["PAYMENT_SUCCESSFUL", {}, "taken"],
    ["PAYMENT_SUCCESSFUL", { refund_reason: "cold" }, "being given back"],
    ["PAYMENT_FAILED", {}, "not paid"],
    ["PAYMENT_FAILED", { error: "declined" }, "refused"],
    ["PAYMENT_REFUNDED", {}, "no longer held"],
    ["PAYMENT_REFUNDED", { captured_at: AT }, "given back"],
  ] as const)("%s with %j as %s", (status, more, text) => {
    const payment = makePayment(status, more);
    expect(stateOf(payment).text).toBe(text);
    expect(mayBeGivenBack(payment)).toBe(text === "taken");
  });

  test("that an authorisation lapses within a day", () => {
    const payment = makePayment("PAYMENT_CREATED", { capture_before: "2026-11-27T09:30:00Z" });
    expect(lapsesSoon(payment, Date.parse("2026-11-26T09:29:59Z"))).toBe(false);
    expect(lapsesSoon(payment, Date.parse("2026-11-26T09:30:01Z"))).toBe(true);
    expect(lapsesSoon({ ...payment, status: "PAYMENT_SUCCESSFUL" }, Date.parse("2026-11-26T09:30:01Z"))).toBe(false);
  });
});

describe("customers read", () => {
  const say = (status: Parameters<typeof makeOrder>[1], payment: Payment | undefined, more = {}) =>
    sayMoney(makeOrder(17, status, { payment_kind: payment?.kind ?? "card", price: 400, ...more }), payment, "eur");

  test.each([
    ["queued", makePayment("PAYMENT_CREATED"), "€4.00 is held on your card, and taken when your drink is ready."],
    ["queued", undefined, "€4.00 is held on your card, and taken when your drink is ready."],
    ["queued", makePayment("PAYMENT_SUCCESSFUL", { kind: "counter" }), "Paid: €4.00"],
    ["ready", makePayment("PAYMENT_FAILED"), "Your card was not charged."],
    ["cancelled", undefined, undefined],
    ["cancelled", makePayment("PAYMENT_PENDING"), "Nothing was taken."],
    ["cancelled", makePayment("PAYMENT_CREATED"), "Nothing is taken: the €4.00 held on your card is being given back."],
    ["cancelled", makePayment("PAYMENT_SUCCESSFUL", { kind: "counter" }), "Get your €4.00 back at the counter."],
    ["ready", makePayment("PAYMENT_SUCCESSFUL", { refund_reason: "cold" }), "€4.00 is on its way back to your card."],
  ] as const)("of a %s order and its payment (%#)", (status, payment, text) => {
    expect(say(status, payment)).toBe(text as string);
  });

  test("nothing twice of an order that was not paid, and nothing of one that cost nothing", () => {
    expect(say("cancelled", makePayment("PAYMENT_FAILED"), { reason: "payment_failed" })).toBeUndefined();
    expect(say("queued", undefined, { payment_kind: undefined })).toBeUndefined();
  });
});
