/** Owns the tests of shared-reads.ts. */
import { expect, test } from "bun:test";
import { keepReads, shareReads } from "../src/shared-reads.ts";

/** A source whose reads end when the test says so. */
function startSource() {
  const reads: { readonly end: (value: number) => void; readonly fail: (error: Error) => void }[] = [];
  const read = (): Promise<number> => {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    reads.push({ end: resolve, fail: reject });
    return promise;
  };
  return { reads, read };
}

test("who asks while a read is under way shares the one that begins after it", async () => {
  const { reads, read } = startSource();
  const ask = shareReads(read);
  const first = ask();
  const others = Array.from({ length: 100 }, ask);
  expect(reads).toHaveLength(1);
  reads[0]?.end(1);
  expect(await first).toBe(1);
  await Promise.resolve();
  expect(reads).toHaveLength(2);
  const late = ask();
  reads[1]?.end(2);
  expect(new Set(await Promise.all(others))).toEqual(new Set([2]));
  reads[2]?.end(3);
  expect(await late).toBe(3);
  expect(reads).toHaveLength(3);
});

test("a read that fails fails for those who waited for it; who came meanwhile gets the next", async () => {
  const { reads, read } = startSource();
  const ask = shareReads(read);
  const first = ask();
  const second = ask();
  reads[0]?.fail(new Error("away"));
  expect(await first.catch((error: Error) => error.message)).toBe("away");
  await Promise.resolve();
  reads[1]?.end(2);
  expect(await second).toBe(2);
});

test("what was read is kept, but not past a change, nor what was being read while it changed", async () => {
  let [value, changes, count] = [1, 0, 0];
  const ask = keepReads(
    async () => {
      count += 1;
      return value;
    },
    { keptMs: 60_000, changes: () => changes },
  );
  expect([await ask(), await ask()]).toEqual([1, 1]);
  expect(count).toBe(1);
  value = 2;
  expect(await ask()).toBe(1);
  changes += 1;
  expect(await ask()).toBe(2);

  const { reads, read } = startSource();
  const askSlow = keepReads(read, { keptMs: 60_000, changes: () => changes });
  const before = askSlow();
  changes += 1;
  reads[0]?.end(3);
  expect(await before).toBe(3);
  const after = askSlow();
  expect(reads).toHaveLength(2);
  reads[1]?.end(4);
  expect(await after).toBe(4);
});

test("what was read is not kept longer than it may be", async () => {
  let count = 0;
  const ask = keepReads(async () => (count += 1), { keptMs: 0, changes: () => 0 });
  expect([await ask(), await ask()]).toEqual([1, 2]);
});
