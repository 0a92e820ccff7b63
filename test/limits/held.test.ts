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
  for (let time = 1; time <= 3; time++) if (first.kind === "entered") first.place.leave();
  expect([held.enter("a").kind, held.enter("a").kind]).toEqual(["entered", "too_many_held"]);
});

test("who comes back for an order leaves a quarter of the room to those who place one", () => {
  const held = new HeldRequests({ maxHeld: 8, maxHeldPerAddress: 100 }, { count: () => {} });
  const returners = Array.from({ length: 7 }, () => held.enterAgain("a"));
  expect(returners.map(({ kind }) => kind)).toEqual([
    ...Array.from({ length: 6 }, () => "entered" as const),
    "room_full",
  ]);
  expect([held.enter("b").kind, held.enter("b").kind, held.enter("b").kind]).toEqual([
    "entered",
    "entered",
    "room_full",
  ]);
  const [first] = returners;
  if (first?.kind === "entered") first.place.leave();
  expect(held.enterAgain("a").kind).toBe("entered");
});

test("a room for one has a place for who comes back", () => {
  const held = new HeldRequests({ maxHeld: 1, maxHeldPerAddress: 1 }, { count: () => {} });
  expect(held.enterAgain("a").kind).toBe("entered");
});

test("who is let in waits once their order is placed, until they leave", () => {
  const held = new HeldRequests({ maxHeld: 9, maxHeldPerAddress: 9 }, { count: () => {} });
  const [placing, refused] = [held.enter("a"), held.enter("a")];
  const again = held.enterAgain("b");
  if (placing.kind !== "entered" || refused.kind !== "entered" || again.kind !== "entered")
    throw new Error("not let in");
  expect(held.waiting).toBe(0);
  again.place.wait();
  expect(held.waiting).toBe(1);
  placing.place.wait();
  placing.place.wait();
  expect(held.waiting).toBe(2);
  for (const { place } of [refused, placing, placing]) place.leave();
  expect(held.waiting).toBe(1);
  again.place.leave();
  expect(held.waiting).toBe(0);
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
        const held = new HeldRequests({ maxHeld, maxHeldPerAddress }, { count: () => {} });
        const mostReturners = Math.max(1, Math.floor(maxHeld * 0.75));
        const entries: { address: string; isReturner: boolean; isHere: boolean; leave: () => void }[] = [];
        for (const { address, isReturner, leaves } of steps) {
          const leaving = leaves === undefined ? undefined : entries[leaves];
          if (leaving) {
            leaving.leave();
            leaving.isHere = false;
            continue;
          }
          const here = entries.filter(({ isHere }) => isHere);
          const isAddressFull = here.filter((entry) => entry.address === address).length === maxHeldPerAddress;
          const isShareTaken = here.filter((entry) => entry.isReturner).length === mostReturners;
          const isFull = here.length === maxHeld || (isReturner && isShareTaken);
          const entry = isReturner ? held.enterAgain(address) : held.enter(address);
          expect(entry.kind).toBe(isAddressFull ? "too_many_held" : isFull ? "room_full" : "entered");
          if (entry.kind !== "entered") continue;
          const { place } = entry;
          entries.push({ address, isReturner, isHere: true, leave: () => place.leave() });
        }
      },
    ),
  );
});
