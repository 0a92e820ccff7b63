/** Owns the tests of wait-limit.ts. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { WaitLimit } from "../../src/limits/wait-limit.ts";

test("an address may hold as many requests as its cap, and others are let in beside it", () => {
  const waitLimit = new WaitLimit({ maxHeld: 10, maxHeldPerAddress: 2 }, { count: () => {} });
  expect([waitLimit.acquire("a").kind, waitLimit.acquire("a").kind, waitLimit.acquire("a").kind]).toEqual([
    "acquired",
    "acquired",
    "too_many_held",
  ]);
  expect(waitLimit.acquire("b").kind).toBe("acquired");
});

test("all together hold as many as the room's cap", () => {
  const waitLimit = new WaitLimit({ maxHeld: 2, maxHeldPerAddress: 2 }, { count: () => {} });
  expect([waitLimit.acquire("a").kind, waitLimit.acquire("b").kind, waitLimit.acquire("c").kind]).toEqual([
    "acquired",
    "acquired",
    "room_full",
  ]);
});

test("who leaves makes room for one, however often they leave", () => {
  const waitLimit = new WaitLimit({ maxHeld: 2, maxHeldPerAddress: 2 }, { count: () => {} });
  const first = waitLimit.acquire("a");
  waitLimit.acquire("a");
  for (let time = 1; time <= 3; time++) if (first.kind === "acquired") first.slot.release();
  expect([waitLimit.acquire("a").kind, waitLimit.acquire("a").kind]).toEqual(["acquired", "too_many_held"]);
});

test("who comes back for an order leaves a quarter of the slots to those who place one", () => {
  const waitLimit = new WaitLimit({ maxHeld: 8, maxHeldPerAddress: 100 }, { count: () => {} });
  const returners = Array.from({ length: 7 }, () => waitLimit.acquireForReturner("a"));
  expect(returners.map(({ kind }) => kind)).toEqual([
    ...Array.from({ length: 6 }, () => "acquired" as const),
    "room_full",
  ]);
  expect([waitLimit.acquire("b").kind, waitLimit.acquire("b").kind, waitLimit.acquire("b").kind]).toEqual([
    "acquired",
    "acquired",
    "room_full",
  ]);
  const [first] = returners;
  if (first?.kind === "acquired") first.slot.release();
  expect(waitLimit.acquireForReturner("a").kind).toBe("acquired");
});

test("a room for one has a slot for who comes back", () => {
  const waitLimit = new WaitLimit({ maxHeld: 1, maxHeldPerAddress: 1 }, { count: () => {} });
  expect(waitLimit.acquireForReturner("a").kind).toBe("acquired");
});

test("who is let in waits once their order is placed, until they leave", () => {
  const waitLimit = new WaitLimit({ maxHeld: 9, maxHeldPerAddress: 9 }, { count: () => {} });
  const [placing, refused] = [waitLimit.acquire("a"), waitLimit.acquire("a")];
  const again = waitLimit.acquireForReturner("b");
  if (placing.kind !== "acquired" || refused.kind !== "acquired" || again.kind !== "acquired")
    throw new Error("not let in");
  expect(waitLimit.waiting).toBe(0);
  again.slot.noteWaiting();
  expect(waitLimit.waiting).toBe(1);
  placing.slot.noteWaiting();
  placing.slot.noteWaiting();
  expect(waitLimit.waiting).toBe(2);
  for (const { slot } of [refused, placing, placing]) slot.release();
  expect(waitLimit.waiting).toBe(1);
  again.slot.release();
  expect(waitLimit.waiting).toBe(0);
});

test("whatever comes and goes, those who are in are counted, never more and never less", () => {
  const step = fc.record({
    address: fc.constantFrom("a", "b", "c"),
    isReturner: fc.boolean(),
    leaves: fc.option(fc.nat(20), { nil: undefined }),
  });
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 60 }),
      fc.integer({ min: 1, max: 6 }),
      fc.integer({ min: 1, max: 4 }),
      (steps, maxHeld, maxHeldPerAddress) => {
        const waitLimit = new WaitLimit({ maxHeld, maxHeldPerAddress }, { count: () => {} });
        const maxReturners = Math.max(1, Math.floor(maxHeld * 0.75));
        const entries: { address: string; isReturner: boolean; isAcquired: boolean; leave: () => void }[] = [];
        for (const { address, isReturner, leaves } of steps) {
          const leaving = leaves === undefined ? undefined : entries[leaves];
          if (leaving) {
            leaving.leave();
            leaving.isAcquired = false;
            continue;
          }
          const here = entries.filter(({ isAcquired }) => isAcquired);
          const isAddressFull = here.filter((entry) => entry.address === address).length === maxHeldPerAddress;
          const isShareTaken = here.filter((entry) => entry.isReturner).length === maxReturners;
          const isFull = here.length === maxHeld || (isReturner && isShareTaken);
          const acquisition = isReturner ? waitLimit.acquireForReturner(address) : waitLimit.acquire(address);
          expect(acquisition.kind).toBe(isAddressFull ? "too_many_held" : isFull ? "room_full" : "acquired");
          if (acquisition.kind !== "acquired") continue;
          const { slot } = acquisition;
          entries.push({ address, isReturner, isAcquired: true, leave: () => slot.release() });
        }
      },
    ),
  );
});
