/** The floor: what a staff page makes of a snapshot and of the events since. */
import { beforeEach, describe, expect, test } from "bun:test";
import type { Order } from "../../src/orders/order.ts";
import { Floor, inQueueOrder, inState } from "../../src/web/shared/staff/floor.svelte.ts";
import { at, makeOrder } from "./barista-orders.ts";

let floor: Floor;

beforeEach(() => {
  floor = new Floor(["queued", "brewing"]);
});

/** `17 queued, 18 brewing`, in the order of the queue. */
function shown(): string {
  return inQueueOrder(floor.orders)
    .map(({ number, status }) => `${number} ${status}`)
    .join(", ");
}

function load(orders: readonly Order[], meanwhile: () => void = () => {}): void {
  const sync = floor.beginSync();
  meanwhile();
  sync.end(orders, 0);
}

describe("events", () => {
  test("move an order through its life, and off the floor", () => {
    for (const [status, expected] of [
      ["queued", "17 queued"],
      ["brewing", "17 brewing"],
      ["queued", "17 queued"],
      ["brewing", "17 brewing"],
      ["ready", ""],
    ] as const) {
      floor.put(makeOrder(17, status));
      expect(shown()).toBe(expected);
    }
  });

  test.each(["ready", "cancelled"] as const)("that come late do not open again what was %s", (status) => {
    floor.put(makeOrder(17, status));
    floor.put(makeOrder(17, "brewing"));
    expect(shown()).toBe("");
    load([makeOrder(17, "queued")]);
    expect(shown()).toBe("");
  });

  test("of states that this page does not show change nothing", () => {
    floor.put(makeOrder(17, "reserved"));
    expect(shown()).toBe("");
  });
});

test("of ready orders the last 1000 are kept, however long a board hangs", () => {
  floor = new Floor(["ready"]);
  for (let number = 1; number <= 1001; number += 1) floor.put(makeOrder(number, "ready"));
  expect(floor.orders).toHaveLength(1000);
  expect([floor.find("order-1")?.number, floor.find("order-2")?.number]).toEqual([undefined, 2]);
});

describe("a snapshot", () => {
  test("replaces what was there", () => {
    floor.put(makeOrder(17));
    floor.put(makeOrder(18));
    load([makeOrder(18, "brewing"), makeOrder(19)]);
    expect(shown()).toBe("18 brewing, 19 queued");
  });

  test("is older than what events said while it was on its way", () => {
    floor.put(makeOrder(17));
    load([makeOrder(17), makeOrder(18)], () => {
      floor.put(makeOrder(17, "ready"));
      floor.put(makeOrder(18, "brewing"));
      floor.put(makeOrder(19));
    });
    expect(shown()).toBe("18 brewing, 19 queued");
  });

  test("says nothing of orders placed before it looked, or of states that it did not look at", () => {
    floor.put(makeOrder(17, "queued", { placed_at: at("05:00:00") }));
    floor.put(makeOrder(18, "brewing"));
    floor.put(makeOrder(19, "queued"));
    floor.beginSync().end([], Date.parse(at("08:00:00")), ["queued"]);
    expect(shown()).toBe("17 queued, 18 brewing");
  });

  test("that was abandoned is none: the next one counts", () => {
    floor.beginSync().abandon();
    load([makeOrder(17)]);
    expect(shown()).toBe("17 queued");
  });
});

describe("the answer to a verb", () => {
  test("is on the floor before its event comes", () => {
    floor.put(makeOrder(17));
    floor.beginSync().take(makeOrder(17, "brewing"), Date.parse(at("09:01:00")));
    expect(shown()).toBe("17 brewing");
  });

  test("that comes after newer events changes nothing", () => {
    floor.put(makeOrder(17, "brewing"));
    const release = floor.beginSync();
    floor.put(makeOrder(17, "queued"));
    floor.put(makeOrder(17, "brewing"));
    release.take(makeOrder(17, "queued"));
    expect(shown()).toBe("17 brewing");
  });
});

describe("a lease", () => {
  const leased = (): number | undefined => floor.find("order-17")?.leasedMs;

  test("counts from the start, or from when it was last extended", () => {
    floor.put(makeOrder(17, "brewing"));
    expect(leased()).toBe(Date.parse(at("09:01:00")));
    floor.put(makeOrder(17, "brewing"), Date.parse(at("09:10:00")));
    expect(leased()).toBe(Date.parse(at("09:10:00")));
    // A snapshot says when it was started, and not of the extension.
    load([makeOrder(17, "brewing")]);
    expect(leased()).toBe(Date.parse(at("09:10:00")));
  });

  test("begins anew for the barista who takes the order after it was put back", () => {
    floor.put(makeOrder(17, "brewing"), Date.parse(at("09:10:00")));
    floor.put(makeOrder(17, "queued"));
    expect(leased()).toBeUndefined();
    floor.put(makeOrder(17, "brewing", { started_at: at("09:05:00") }));
    expect(leased()).toBe(Date.parse(at("09:05:00")));
  });
});

test("the queue goes by day, then by number: yesterday's 300 comes before today's 1", () => {
  const orders = [
    makeOrder(2),
    makeOrder(1),
    makeOrder(10),
    makeOrder(300, "queued", { placed_at: "2026-11-19T23:59:00.000Z" }),
    makeOrder(3, "brewing"),
  ];
  expect(inState(orders, "queued").map(({ number }) => number)).toEqual([300, 1, 2, 10]);
});
