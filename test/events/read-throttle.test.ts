/** Owns the tests of read-throttle.ts. */
import { expect, test } from "bun:test";
import { ReadThrottle } from "../../src/events/read-throttle.ts";
import { until } from "../support/until.ts";

const short = (): boolean => false;

/** A task that a test ends, and whether it has begun. */
function task() {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const state = { hasBegun: false, end: resolve, fail: reject, run: () => promise };
  state.run = () => {
    state.hasBegun = true;
    return promise;
  };
  return state;
}

test("two run at once, the others in their order", async () => {
  const throttle = new ReadThrottle();
  const tasks = Array.from({ length: 5 }, task);
  const done = tasks.map(({ run }) => throttle.run(run, short));
  const begun = (): boolean[] => tasks.map(({ hasBegun }) => hasBegun);
  await until(() => tasks[1]?.hasBegun === true, "two have begun");
  expect(begun()).toEqual([true, true, false, false, false]);
  tasks[1]?.end();
  await until(() => tasks[2]?.hasBegun === true, "the third has begun");
  expect(begun()).toEqual([true, true, true, false, false]);
  for (const { end } of tasks) end();
  await Promise.all(done);
});

test("a task that fails gives its turn back, and passes its failure on", async () => {
  const throttle = new ReadThrottle();
  const fails = (): Promise<void> => Promise.reject(new Error("no luck"));
  const failed = await Promise.allSettled(Array.from({ length: 4 }, () => throttle.run(fails, short)));
  expect(failed.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected", "rejected"]);
  expect(await throttle.run(async () => 5, short)).toBe(5);
});

test("after a long one, the next one waits twice as long as it took", async () => {
  const throttle = new ReadThrottle();
  const begunAt: number[] = [];
  const nextAt: number[] = [];
  const long = async (): Promise<void> => {
    const began = performance.now();
    begunAt.push(began);
    await Bun.sleep(10);
    const ended = performance.now();
    nextAt.push(ended + 2 * Math.min(ended - began, 25));
  };
  await Promise.all(Array.from({ length: 4 }, () => throttle.run(long, () => true)));
  // The third and the fourth have the turns of the first two. A timer may be late, and is early by no more than a
  // millisecond.
  const [first = NaN, second = NaN] = nextAt.slice(0, 2).toSorted((one, other) => one - other);
  expect(begunAt[2]).toBeGreaterThanOrEqual(first - 1);
  expect(begunAt[3]).toBeGreaterThanOrEqual(second - 1);
});
