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
  const returners = Array.from({ length: 7 }, (_, index) => held.enterAgain("a", `order-${index}`));
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
  expect(held.enterAgain("a", "order-9").kind).toBe("entered");
});

test("a room for one has a place for who comes back", () => {
  const held = new HeldRequests({ maxHeld: 1, maxHeldPerAddress: 1 }, { count: () => {} });
  expect(held.enterAgain("a", "order").kind).toBe("entered");
});

test("one order holds 100, who placed it among them, and another order as many", () => {
  const reasons: string[] = [];
  const held = new HeldRequests(
    { maxHeld: 1000, maxHeldPerAddress: 1000 },
    { count: (reason) => reasons.push(reason) },
  );
  const placing = held.enter("a");
  if (placing.kind !== "entered") throw new Error(placing.kind);
  expect(placing.place.holdOn("one")).toBe(true);
  for (let index = 1; index < 100; index++) expect(held.enterAgain(`from-${index}`, "one").kind).toBe("entered");
  expect(held.enterAgain("late", "one").kind).toBe("too_many_for_order");
  expect(held.enterAgain("late", "other").kind).toBe("entered");
  // By its key.
  const joining = held.enter("late");
  expect(joining.kind === "entered" && joining.place.holdOn("one")).toBe(false);
  expect(reasons).toEqual(["too_many_for_order"]);
  placing.place.leave();
  expect(joining.kind === "entered" && joining.place.holdOn("one")).toBe(true);
});

test("who is let in waits once their order is placed, until they leave", () => {
  const held = new HeldRequests({ maxHeld: 9, maxHeldPerAddress: 9 }, { count: () => {} });
  const [placing, refused] = [held.enter("a"), held.enter("a")];
  const again = held.enterAgain("b", "order");
  if (placing.kind !== "entered" || refused.kind !== "entered" || again.kind !== "entered")
    throw new Error("not let in");
  expect(held.waiting).toBe(1);
  placing.place.holdOn("order");
  placing.place.holdOn("order");
  expect(held.waiting).toBe(2);
  for (const { place } of [refused, placing, placing]) place.leave();
  expect(held.waiting).toBe(1);
  again.place.leave();
  expect(held.waiting).toBe(0);
});

test("whatever comes and goes, those who are in are counted, never more and never less", () => {
  const step = fc.record({
    address: fc.constantFrom("a", "b", "c"),
    order: fc.option(fc.constantFrom("one", "two"), { nil: undefined }),
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
        for (const { address, order, leaves } of steps) {
          const leaving = leaves === undefined ? undefined : entries[leaves];
          if (leaving) {
            leaving.leave();
            leaving.isHere = false;
            continue;
          }
          const here = entries.filter(({ isHere }) => isHere);
          const isAddressFull = here.filter((entry) => entry.address === address).length === maxHeldPerAddress;
          const isShareTaken = here.filter(({ isReturner }) => isReturner).length === mostReturners;
          const isFull = here.length === maxHeld || (order !== undefined && isShareTaken);
          const entry = order === undefined ? held.enter(address) : held.enterAgain(address, order);
          expect(entry.kind).toBe(isAddressFull ? "too_many_held" : isFull ? "room_full" : "entered");
          if (entry.kind !== "entered") continue;
          const { place } = entry;
          entries.push({ address, isReturner: order !== undefined, isHere: true, leave: () => place.leave() });
        }
      },
    ),
  );
});
