/**
 * Owns the tests of attempts.ts.
 *
 * **Invariants**
 * - The clock is the test's own.
 */
import { afterEach, beforeEach, expect, spyOn, test, type Mock } from "bun:test";
import fc from "fast-check";
import { Attempts } from "../../src/limits/attempts.ts";

const MINUTE_MS = 60_000;

let nowMs = 0;
let clock: Mock<() => number>;

beforeEach(() => {
  nowMs = 1_000_000;
  clock = spyOn(performance, "now").mockImplementation(() => nowMs);
});
afterEach(() => clock.mockRestore());

/** Guesses wrong at these times, counted from now. */
function guess(attempts: Attempts, address: string, ...times: readonly number[]): void {
  const began = nowMs;
  for (const time of times) {
    nowMs = began + time;
    attempts.noteWrong(address);
  }
}

const everySecond = (count: number): number[] => Array.from({ length: count }, (_, index) => 1000 * index);

test("nine wrong guesses are forgiven; after the tenth nobody listens until the first is a minute old", () => {
  const attempts = new Attempts();
  guess(attempts, "mallory", ...everySecond(9));
  expect(attempts.blockedMs("mallory")).toBe(0);
  guess(attempts, "mallory", 1000);
  expect(attempts.blockedMs("mallory")).toBe(MINUTE_MS - 9000);
  nowMs += MINUTE_MS - 9001;
  expect(attempts.blockedMs("mallory")).toBe(1);
  nowMs += 1;
  expect(attempts.blockedMs("mallory")).toBe(0);
});

test("who goes on guessing is blocked again by the next one", () => {
  const attempts = new Attempts();
  guess(attempts, "mallory", ...everySecond(10));
  nowMs += MINUTE_MS - 9000;
  guess(attempts, "mallory", 0);
  expect(attempts.blockedMs("mallory")).toBe(1000);
});

test("guesses spread over more than a minute block nobody", () => {
  const attempts = new Attempts();
  guess(attempts, "clumsy", ...Array.from({ length: 100 }, (_, index) => 7000 * index));
  expect(attempts.blockedMs("clumsy")).toBe(0);
});

test("another address is listened to", () => {
  const attempts = new Attempts();
  guess(attempts, "mallory", ...everySecond(10));
  expect(attempts.blockedMs("ada")).toBe(0);
  guess(attempts, "ada", 0);
  expect(attempts.blockedMs("ada")).toBe(0);
});

test("of too many addresses the one that has not guessed for longest is forgotten", () => {
  const attempts = new Attempts();
  guess(attempts, "first", ...everySecond(10));
  guess(attempts, "second", ...Array.from({ length: 10 }, () => 0));
  guess(attempts, "first", 0);
  for (let index = 0; index < 9999; index += 1) guess(attempts, `address-${index}`, 0);
  expect(attempts.blockedMs("second")).toBe(0);
  expect(attempts.blockedMs("first")).toBeGreaterThan(0);
});

test("whoever guessed wrong ten times within the last minute is blocked, and nobody else", () => {
  const steps = fc.array(fc.record({ address: fc.constantFrom("a", "b"), afterMs: fc.nat(9000) }), { maxLength: 60 });
  fc.assert(
    fc.property(steps, (history) => {
      const attempts = new Attempts();
      const wrongAt: Record<string, number[]> = { a: [], b: [] };
      for (const { address, afterMs } of history) {
        nowMs += afterMs;
        attempts.noteWrong(address);
        wrongAt[address]?.push(nowMs);
        for (const [each, times] of Object.entries(wrongAt)) {
          const recent = times.filter((time) => time > nowMs - MINUTE_MS);
          expect(attempts.blockedMs(each) > 0).toBe(recent.length >= 10);
        }
      }
    }),
  );
});
