/**
 * Owns the tests of wrong-guesses.ts.
 *
 * **Invariants**
 * - The clock is the test's own.
 */
import { afterEach, beforeEach, expect, spyOn, test, type Mock } from "bun:test";
import fc from "fast-check";
import { WrongGuesses } from "../../src/limits/wrong-guesses.ts";

const MINUTE_MS = 60_000;

let nowMs = 0;
let clock: Mock<() => number>;

beforeEach(() => {
  nowMs = 1_000_000;
  clock = spyOn(performance, "now").mockImplementation(() => nowMs);
});
afterEach(() => clock.mockRestore());

/** Guesses wrong at these times, counted from now. */
function guess(wrongGuesses: WrongGuesses, address: string, ...times: readonly number[]): void {
  const began = nowMs;
  for (const time of times) {
    nowMs = began + time;
    wrongGuesses.note(address);
  }
}

const everySecond = (count: number): number[] => Array.from({ length: count }, (_, index) => 1000 * index);

test("nine wrong guesses are forgiven; after the tenth none is heard until the first is a minute old", () => {
  const wrongGuesses = new WrongGuesses();
  guess(wrongGuesses, "mallory", ...everySecond(9));
  expect(wrongGuesses.blockedMs("mallory")).toBe(0);
  guess(wrongGuesses, "mallory", 1000);
  expect(wrongGuesses.blockedMs("mallory")).toBe(MINUTE_MS - 9000);
  nowMs += MINUTE_MS - 9001;
  expect(wrongGuesses.blockedMs("mallory")).toBe(1);
  nowMs += 1;
  expect(wrongGuesses.blockedMs("mallory")).toBe(0);
});

test("who goes on guessing is blocked again by the next one", () => {
  const wrongGuesses = new WrongGuesses();
  guess(wrongGuesses, "mallory", ...everySecond(10));
  nowMs += MINUTE_MS - 9000;
  guess(wrongGuesses, "mallory", 0);
  expect(wrongGuesses.blockedMs("mallory")).toBe(1000);
});

test("guesses spread over more than a minute block no address", () => {
  const wrongGuesses = new WrongGuesses();
  guess(wrongGuesses, "clumsy", ...Array.from({ length: 100 }, (_, index) => 7000 * index));
  expect(wrongGuesses.blockedMs("clumsy")).toBe(0);
});

test("another address is listened to", () => {
  const wrongGuesses = new WrongGuesses();
  guess(wrongGuesses, "mallory", ...everySecond(10));
  expect(wrongGuesses.blockedMs("ada")).toBe(0);
  guess(wrongGuesses, "ada", 0);
  expect(wrongGuesses.blockedMs("ada")).toBe(0);
});

test("of too many addresses the one that has not guessed for longest is forgotten", () => {
  const wrongGuesses = new WrongGuesses();
  guess(wrongGuesses, "first", ...everySecond(10));
  guess(wrongGuesses, "second", ...Array.from({ length: 10 }, () => 0));
  guess(wrongGuesses, "first", 0);
  for (let index = 0; index < 9999; index += 1) guess(wrongGuesses, `address-${index}`, 0);
  expect(wrongGuesses.blockedMs("second")).toBe(0);
  expect(wrongGuesses.blockedMs("first")).toBeGreaterThan(0);
});

test("who guessed wrong ten times within the last minute is blocked, and no other", () => {
  const steps = fc.array(fc.record({ address: fc.constantFrom("a", "b"), afterMs: fc.nat(9000) }), { maxLength: 60 });
  fc.assert(
    fc.property(steps, (history) => {
      const wrongGuesses = new WrongGuesses();
      const wrongAt: Record<string, number[]> = { a: [], b: [] };
      for (const { address, afterMs } of history) {
        nowMs += afterMs;
        wrongGuesses.note(address);
        wrongAt[address]?.push(nowMs);
        for (const [each, times] of Object.entries(wrongAt)) {
          const recent = times.filter((time) => time > nowMs - MINUTE_MS);
          expect(wrongGuesses.blockedMs(each) > 0).toBe(recent.length >= 10);
        }
      }
    }),
  );
});
