/** The barista page's small decisions: ages, leases, keys, the settings' form, the words for drinks. */
import { describe, expect, test } from "bun:test";
import type { TSchema } from "@sinclair/typebox";
import { ShopSettings } from "../../src/shop/settings.ts";
import { actionOf } from "../../src/web/barista/keys.ts";
import { leaseOf } from "../../src/web/barista/lease.ts";
import { changesOf, draftOf, NUMBER_FIELDS } from "../../src/web/barista/settings-form.ts";
import type { Coffee } from "../../src/shop/menu.ts";
import type { StaffShopView } from "../../src/shop/settings.ts";
import { createShopClock, formatSpan, saySpan, secondsSince, urgencyOf } from "../../src/web/shared/clock.ts";
import { iconOf, nameDrink, nameModifiers, nameOrder } from "../../src/web/shared/words.ts";
import { at, makeOrder } from "./barista-orders.ts";

describe("ages", () => {
  test.each([
    ["09:00:00", 0, "fresh", "0:00"],
    ["09:01:59", 119, "fresh", "1:59"],
    ["09:02:00", 120, "late", "2:00"],
    ["09:04:59", 299, "late", "4:59"],
    ["09:05:00", 300, "overdue", "5:00"],
    ["10:02:09", 3729, "overdue", "1:02:09"],
    // A clock that is behind makes no order wait less than nothing.
    ["08:59:00", 0, "fresh", "0:00"],
  ] as const)("at %s an order of nine is %i s old: %s, %s", (time, seconds, urgency, span) => {
    const age = secondsSince(at("09:00:00"), Date.parse(at(time)));
    expect([age, urgencyOf(age), formatSpan(age)]).toEqual([seconds, urgency, span]);
  });

  test.each([
    [1, "1 second"],
    [59, "59 seconds"],
    [60, "1 minute"],
    [599, "9 minutes"],
  ])("%i s are said as %s", (seconds, words) => {
    expect(saySpan(seconds)).toBe(words);
  });
});

describe("the shop's clock", () => {
  const deviceMs = Date.parse("2026-11-20T09:00:00Z");

  test.each([
    ["an hour ahead", "Fri, 20 Nov 2026 10:00:00 GMT", 3_600_500],
    ["a day behind", "Thu, 19 Nov 2026 09:00:00 GMT", -86_399_500],
    ["as good as the same", "Fri, 20 Nov 2026 08:59:59 GMT", 0],
  ])("is %s", (_, date, aheadMs) => {
    const clock = createShopClock(() => deviceMs);
    clock.learn(date);
    expect(clock.now() - deviceMs).toBe(aheadMs);
  });

  test("is the device's where the shop gives none", () => {
    const clock = createShopClock(() => deviceMs);
    clock.learn(null);
    clock.learn("soon");
    expect(clock.now()).toBe(deviceMs);
  });
});

describe("a lease", () => {
  const nowMs = 1_000_000_000;

  test.each([
    [900, 0, "long", 900],
    [900, 779, "long", 121],
    [900, 780, "soon", 120],
    [900, 899, "soon", 1],
    [900, 900, "out", 0],
    [900, 5000, "out", 0],
    // A short one is not about to run out from its beginning.
    [10, 5, "long", 5],
    [10, 6, "soon", 4],
  ] as const)("of %i s, %i s old, is %s", (leaseSeconds, ageSeconds, level, remainingSeconds) => {
    const order = { ...makeOrder(17, "brewing"), leasedMs: nowMs - ageSeconds * 1000 };
    expect(leaseOf(order, leaseSeconds, nowMs)).toEqual({
      level,
      remainingSeconds,
      share: remainingSeconds / leaseSeconds,
    });
  });
});

describe("keys", () => {
  const press = { key: "n", ctrlKey: false, metaKey: false, altKey: false, repeat: false };

  test.each([
    ["n", "next"],
    ["N", "next"],
    ["f", "finish"],
    ["e", "extend"],
    ["r", "release"],
    ["c", "cancel"],
    ["d", "finishAndNext"],
    ["x", "fail"],
    ["s", "shop"],
    ["p", "payments"],
    ["q", undefined],
    ["Enter", undefined],
  ])("%s means %s", (key, action) => {
    expect(actionOf({ ...press, key }, false)).toBe(action as ReturnType<typeof actionOf>);
  });

  test("mean nothing with a modifier, held down, or while typing", () => {
    for (const more of [{ ctrlKey: true }, { metaKey: true }, { altKey: true }, { repeat: true }]) {
      expect(actionOf({ ...press, ...more }, false)).toBeUndefined();
    }
    expect(actionOf(press, true)).toBeUndefined();
  });
});

describe("the settings' form", () => {
  const settings: StaffShopView = {
    open: true,
    capacity: null,
    require_code: false,
    drinks_per_code: 10,
    code_period_seconds: 300,
    max_open_per_customer: 2,
    customer_timeout_seconds: 900,
    payment: "off",
    payment_timeout_seconds: 600,
    currency: "eur",
    lease_seconds: 900,
    open_orders: 4,
  };

  test("sends nothing when nothing was changed", () => {
    expect(changesOf(draftOf(settings), settings)).toEqual({});
  });

  test("sends what was changed, and an emptied limit as none", () => {
    const draft = { ...draftOf(settings), capacity: 20, max_open_per_customer: undefined, code_period_seconds: 60 };
    expect(changesOf(draft, settings)).toEqual({ capacity: 20, max_open_per_customer: null, code_period_seconds: 60 });
  });

  test("sends a currency as the shop spells it, and none that was emptied", () => {
    expect(changesOf({ ...draftOf(settings), currency: " CHF " }, settings)).toEqual({ currency: "chf" });
    expect(changesOf({ ...draftOf(settings), currency: "EUR" }, settings)).toEqual({});
    expect(changesOf({ ...draftOf(settings), currency: "" }, settings)).toEqual({});
  });

  test("keeps back an emptied field that must have a value", () => {
    expect(changesOf({ ...draftOf(settings), drinks_per_code: null }, settings)).toEqual({});
  });

  test("has the least values that the shop has", () => {
    const minimums = Object.fromEntries(NUMBER_FIELDS.map(({ name, minimum }) => [name, minimum]));
    const isOf = (schema: TSchema): boolean => schema["type"] === "integer";
    const ofShop = Object.entries<TSchema>(ShopSettings.properties).flatMap(([name, schema]) => {
      const number = [schema, ...((schema["anyOf"] as TSchema[] | undefined) ?? [])].find(isOf);
      return number ? [[name, number["minimum"] as number] as const] : [];
    });
    expect(minimums).toEqual(Object.fromEntries(ofShop));
  });
});

describe("words", () => {
  const menu: readonly Coffee[] = [
    { id: "mocha", name: "Mocha", description: "", price: 450, available: true, modifiers: [], icon: "🍫" },
  ];

  test("a drink has the menu's name and picture; one that left the menu is named after its id", () => {
    expect([nameDrink("mocha", menu), iconOf("mocha", menu)]).toEqual(["Mocha", "🍫"]);
    expect([nameDrink("double_espresso", menu), iconOf("double_espresso", menu)]).toEqual(["Double espresso", "☕"]);
  });

  test("modifiers are called out as baristas do", () => {
    expect(nameModifiers({ modifiers: { milk: "oat", size: "large" } })).toEqual(["oat milk", "large size"]);
    expect(nameModifiers({})).toEqual([]);
  });

  test("an order is called by its number", () => {
    expect(nameOrder({ number: 17 })).toBe("Number 17");
    expect(nameOrder({})).toBe("The order without a number");
  });
});
