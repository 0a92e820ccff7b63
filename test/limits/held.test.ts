/** Owns the tests of held.ts. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { HeldRequests } from "../../src/limits/held.ts";

test("an address may hold as many requests as its cap, and others are let in beside it", () => {
  const held = new HeldRequests({ maxHeld: 10, maxHeldPerAddress: 2 }, { count: () => {} });
  expect([held.enter("a").kind, held.enter("a").kind, held.enter("a").kind]).toEqual([
    "entered",
    "entered",
    "too_many_held",
  ]);
  expect(held.enter("b").kind).toBe("entered");
});

test("all together hold as many as the room's cap", () => {
  const held = new HeldRequests({ maxHeld: 2, maxHeldPerAddress: 2 }, { count: () => {} });
  expect([held.enter("a").kind, held.enter("b").kind, held.enter("c").kind]).toEqual([
    "entered",
    "entered",
    "room_full",
  ]);
});

test("who leaves makes room for one, however often they leave", () => {
  const held = new HeldRequests({ maxHeld: 2, maxHeldPerAddress: 2 }, { count: () => {} });
  const first = held.enter("a");
  held.enter("a");
  for (let time = 1; time <= 3; time++) if (first.kind === "entered") first.leave();
  expect([held.enter("a").kind, held.enter("a").kind]).toEqual(["entered", "too_many_held"]);
});

test("whatever comes and goes, those who are in are counted, never more and never less", () => {
  const step = fc.record({
    address: fc.constantFrom("a", "b", "c"),
    leaves: fc.option(fc.nat(20), { nil: undefined }),
  });
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 60 }),
      fc.integer({ min: 1, max: 6 }),
      fc.integer({ min: 1, max: 4 }),
      (steps, maxHeld, maxHeldPerAddress) => {
        const held = new HeldRequests({ maxHeld, maxHeldPerAddress }, { count: () => {} });
        const entries: { address: string; isHere: boolean; leave: () => void }[] = [];
        for (const { address, leaves } of steps) {
          const leaving = leaves === undefined ? undefined : entries[leaves];
          if (leaving) {
            leaving.leave();
            leaving.isHere = false;
            continue;
          }
          const here = entries.filter(({ isHere }) => isHere);
          const isAddressFull = here.filter((entry) => entry.address === address).length === maxHeldPerAddress;
          const entry = held.enter(address);
          expect(entry.kind).toBe(isAddressFull ? "too_many_held" : here.length === maxHeld ? "room_full" : "entered");
          if (entry.kind === "entered") entries.push({ address, isHere: true, leave: entry.leave });
        }
      },
    ),
  );
});
