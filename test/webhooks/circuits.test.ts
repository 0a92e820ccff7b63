/** Owns the tests of circuits.ts. Time is the test's own. */
import { expect, test } from "bun:test";
import { Circuits } from "../../src/webhooks/circuits.ts";

function openCircuits() {
  let nowMs = 1000;
  const circuits = new Circuits(() => nowMs);
  const fail = (host: string, times: number): void => {
    for (let count = 0; count < times; count += 1) {
      circuits.enter(host);
      circuits.leave(host, "down");
    }
  };
  return { circuits, fail, wait: (ms: number) => void (nowMs += ms) };
}

test("failures in a row open it, and a success between them does not count", () => {
  const { circuits, fail } = openCircuits();
  fail("one", 4);
  circuits.leave("one", "up");
  fail("one", 4);
  expect(circuits.enter("one")).toBe(0);
  circuits.leave("one", "down");
  expect(circuits.enter("one")).toBe(5000);
  expect(circuits.enter("two")).toBe(0);
});

test("after a while one trial is let through, and what comes of it decides", () => {
  const { circuits, fail, wait } = openCircuits();
  fail("one", 5);
  wait(4999);
  expect(circuits.enter("one")).toBe(1);
  wait(1);
  expect(circuits.enter("one")).toBe(0);
  expect(circuits.enter("one")).toBe(1000);
  circuits.leave("one", "down");
  expect(circuits.enter("one")).toBe(10_000);
  wait(10_000);
  expect(circuits.enter("one")).toBe(0);
  circuits.leave("one", "up");
  expect([circuits.enter("one"), circuits.enter("one")]).toEqual([0, 0]);
});

test("a trial that was given up leaves the turn to the next one", () => {
  const { circuits, fail, wait } = openCircuits();
  fail("one", 5);
  wait(5000);
  expect(circuits.enter("one")).toBe(0);
  circuits.leave("one", "unknown");
  expect(circuits.enter("one")).toBe(0);
});

test("it is never open for longer than a minute", () => {
  const { circuits, fail, wait } = openCircuits();
  fail("one", 5);
  for (let trial = 0; trial < 10; trial += 1) {
    wait(60_000);
    expect(circuits.enter("one")).toBe(0);
    circuits.leave("one", "down");
  }
  expect(circuits.enter("one")).toBe(60_000);
});

test("hosts that are remembered are bounded: the one that failed first is forgotten", () => {
  const { circuits, fail } = openCircuits();
  for (let host = 0; host <= 1000; host += 1) fail(`host-${host}`, 5);
  expect(circuits.enter("host-0")).toBe(0);
  expect(circuits.enter("host-1")).toBe(5000);
});
