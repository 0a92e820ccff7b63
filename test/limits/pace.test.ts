/** Owns the tests of pace.ts. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { Pace } from "../../src/limits/pace.ts";

/** A pace under a clock that a test moves. */
function start(requestsPerSecond: number) {
  const clock = { nowMs: 1_000_000 };
  const pace = new Pace(requestsPerSecond, () => clock.nowMs);
  const takeMany = (address: string, count: number): number => {
    let taken = 0;
    for (let request = 0; request < count; request++) if (pace.take(address) === 0) taken += 1;
    return taken;
  };
  return { clock, pace, takeMany };
}

test("an address has five seconds' worth at once, then so many a second", () => {
  const { clock, pace, takeMany } = start(200);
  expect(takeMany("a", 3000)).toBe(1000);
  expect(pace.take("a")).toBeCloseTo(5, 6);
  expect(pace.isUsedUp("a")).toBe(true);
  clock.nowMs += 5.001;
  expect(pace.isUsedUp("a")).toBe(false);
  expect(takeMany("a", 10)).toBe(1);
  clock.nowMs += 1000.001;
  expect(takeMany("a", 1000)).toBe(200);
  clock.nowMs += 60_000;
  expect(takeMany("a", 3000)).toBe(1000);
});

test("addresses do not share, and who was never seen has everything", () => {
  const { pace, takeMany } = start(200);
  takeMany("a", 2000);
  expect(pace.isUsedUp("b")).toBe(false);
  expect(takeMany("b", 2000)).toBe(1000);
});

test("who is refused is not refused longer for asking again", () => {
  const { clock, takeMany } = start(10);
  takeMany("a", 50);
  for (let ms = 0; ms < 99; ms++) {
    clock.nowMs += 1;
    expect(takeMany("a", 5)).toBe(0);
  }
  clock.nowMs += 1.001;
  expect(takeMany("a", 5)).toBe(1);
});

test("whatever time passes, no more is let in than was there at first and came since, and no less", () => {
  const rounds = fc.array(fc.tuple(fc.nat(80), fc.integer({ min: 0, max: 8000 })), { maxLength: 30 });
  fc.assert(
    fc.property(rounds, fc.integer({ min: 1, max: 50 }), (steps, perSecond) => {
      const { clock, takeMany } = start(perSecond);
      let tokens = 5 * perSecond;
      for (const [count, pauseMs] of steps) {
        const taken = takeMany("a", count);
        expect(Math.abs(taken - Math.min(count, tokens))).toBeLessThanOrEqual(1);
        tokens = Math.min(5 * perSecond, tokens - taken + (pauseMs / 1000) * perSecond);
        clock.nowMs += pauseMs;
      }
    }),
  );
});

test("a great number of addresses takes bounded memory, and takes nothing from who was seen just now", () => {
  const { clock, pace } = start(200);
  const before = process.memoryUsage().heapUsed;
  for (let address = 0; address < 2_000_000; address++) {
    clock.nowMs += 0.001;
    pace.take(`address-${address}`);
  }
  Bun.gc(true);
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(64 * 1024 * 1024);
  for (let request = 0; request < 2000; request++) pace.take("flood");
  for (let address = 0; address < 50_000; address++) pace.take(`other-${address}`);
  expect(pace.isUsedUp("flood")).toBe(true);
});
