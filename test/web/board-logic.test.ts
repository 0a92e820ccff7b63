/** What the board shows: its columns, how much room there is, and the panel with the code. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { columnsOf, tookSeconds } from "../../src/web/board/columns.ts";
import { FRAMES, gridOf } from "../../src/web/board/grid.ts";
import { panelOf } from "../../src/web/board/panel.ts";
import type { CodeView } from "../../src/shop/codes.ts";
import type { StaffShopView } from "../../src/shop/settings.ts";
import { at, makeOrder } from "./barista-orders.ts";

const nowMs = Date.parse(at("09:10:00"));

describe("columns", () => {
  test("those being made come before those that wait; the newest ready ones come first", () => {
    const { preparing, ready } = columnsOf(
      [
        makeOrder(5, "queued"),
        makeOrder(4, "queued"),
        makeOrder(3, "brewing"),
        makeOrder(1, "ready", { finished_at: at("09:05:00") }),
        makeOrder(2, "ready", { finished_at: at("09:06:00") }),
        makeOrder(6, "reserved"),
      ],
      nowMs,
    );
    expect(preparing.map(({ number }) => number)).toEqual([3, 4, 5]);
    expect(ready.map(({ number }) => number)).toEqual([2, 1]);
  });

  test.each([
    ["09:00:01", 1],
    ["09:00:00", 0],
    ["08:59:00", 0],
  ])("of those ready at %s, ten past nine shows %i", (finished_at, count) => {
    expect(columnsOf([makeOrder(1, "ready", { finished_at: at(finished_at) })], nowMs).ready).toHaveLength(count);
  });

  test("an order took from when it was placed until it was ready", () => {
    expect(tookSeconds(makeOrder(1, "ready", { finished_at: at("09:03:20") }))).toBe(200);
    expect(tookSeconds(makeOrder(1, "brewing"))).toBe(0);
  });
});

describe("the grid", () => {
  const room = { digits: 3, width: 33, height: 44, digitWidth: 0.7, lineHeight: 1.17 };

  test.each([
    [1, "beside"],
    [5, "beside"],
    [12, "below"],
    [30, "alone"],
    [60, "alone"],
  ] as const)("of %i orders has their facts %s", (count, form) => {
    const grid = gridOf({ ...room, count });
    expect(grid).toMatchObject({ form, shown: count });
    expect(grid.columns * grid.rows).toBeGreaterThanOrEqual(count);
  });

  test("holds every number whole, in any room and font, and leaves none out while it can be read", () => {
    const rooms = fc.record({
      count: fc.nat(200),
      digits: fc.integer({ min: 1, max: 4 }),
      width: fc.double({ min: 18, max: 60, noNaN: true }),
      height: fc.double({ min: 30, max: 70, noNaN: true }),
      digitWidth: fc.double({ min: 0.5, max: 0.75, noNaN: true }),
      lineHeight: fc.double({ min: 1, max: 1.5, noNaN: true }),
    });
    fc.assert(
      fc.property(rooms, (wanted) => {
        const grid = gridOf(wanted);
        const { gap, border, inline, block } = FRAMES[grid.form];
        const width = (wanted.width + gap) / grid.columns - gap - 2 * (inline + border);
        const height = (wanted.height + gap) / grid.rows - gap - 2 * (block + border);
        expect(grid.number * wanted.digits * wanted.digitWidth).toBeLessThanOrEqual(width);
        expect(grid.number * wanted.lineHeight).toBeLessThanOrEqual(height);
        expect(grid.number).toBeGreaterThanOrEqual(1.4);
        expect(grid.columns * grid.rows).toBeGreaterThanOrEqual(grid.shown + Number(grid.shown < wanted.count));
      }),
    );
  });

  test("counts those for whom there is no room", () => {
    const grid = gridOf({ ...room, count: 5000 });
    expect(grid.shown).toBe(grid.columns * grid.rows - 1);
    expect(grid.shown).toBeGreaterThan(60);
  });
});

describe("the panel", () => {
  const settings: StaffShopView = {
    open: true,
    capacity: null,
    require_code: true,
    drinks_per_code: 10,
    code_period_seconds: 300,
    max_open_per_customer: null,
    customer_timeout_seconds: 900,
    payment: "off",
    payment_timeout_seconds: 600,
    currency: "eur",
    lease_seconds: 900,
    open_orders: 0,
  };
  const code: CodeView = {
    code: "7QK2M9XWTR3B",
    url: "http://shop.example/?code=7QK2M9XWTR3B",
    qr_svg: '<svg><script>alert("#")</script></svg>',
    remaining: 7,
    changes_at: at("09:12:30"),
  };
  const input = { code, settings, openOrders: 0, nowMs };

  test("shows the code as a picture, what remains of it and for how long", () => {
    expect(panelOf(input)).toEqual({
      kind: "code",
      picture: "data:image/svg+xml,%3Csvg%3E%3Cscript%3Ealert(%22%23%22)%3C%2Fscript%3E%3C%2Fsvg%3E",
      url: code.url,
      text: "7QK2 M9XW TR3B",
      address: "shop.example",
      remaining: 7,
      secondsLeft: 150,
      share: 0.5,
    });
  });

  test.each([
    ["with 15.001 s left", -15_001, "code"],
    ["with 15 s left", -15_000, "changing"],
    ["with 1 s left", -1000, "changing"],
    ["after its time", 3000, "changing"],
  ] as const)("%s: %s", (_, fromChangeMs, shown) => {
    const panel = panelOf({ ...input, nowMs: Date.parse(code.changes_at) + fromChangeMs });
    expect(panel.kind === "paused" ? panel.why : panel.kind).toBe(shown);
  });

  test("hides a code that is used up, until there is a new one", () => {
    const panel = panelOf({ ...input, code: { ...code, remaining: 0 } });
    expect(panel).toEqual({ kind: "paused", why: "used_up", newCodeSeconds: 150 });
  });

  test.each([
    [19, "code"],
    [20, "paused"],
  ] as const)("with %i open orders of 20: %s", (openOrders, kind) => {
    expect(panelOf({ ...input, settings: { ...settings, capacity: 20 }, openOrders }).kind).toBe(kind);
  });

  test("says that the shop is closed, whatever the code", () => {
    expect(panelOf({ ...input, settings: { ...settings, open: false } })).toEqual({ kind: "closed" });
  });

  test("is not there while no code is required: then it says where to order", () => {
    const free = { ...settings, require_code: false };
    expect(panelOf({ ...input, settings: free })).toEqual({ kind: "none", address: "shop.example" });
    expect(panelOf({ ...input, settings: free, code: undefined })).toEqual({ kind: "none", address: undefined });
    expect(panelOf({ ...input, settings: { ...free, open: false } }).kind).toBe("closed");
    expect(panelOf({ ...input, settings: { ...free, capacity: 1 }, openOrders: 1 }).kind).toBe("paused");
  });

  test("waits until it knows", () => {
    expect(panelOf({ ...input, settings: undefined })).toEqual({ kind: "looking" });
    expect(panelOf({ ...input, code: undefined })).toEqual({ kind: "looking" });
  });
});
