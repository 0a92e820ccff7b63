import { expect, test } from "bun:test";

import { callFaults, deliveryFaults, emptyReport, type Report } from "../../bench/harness/report.ts";

/** What the load sees of orders that go round as they should: finished at 10, answered at 12. */
function goneRound(...ids: string[]): Report {
  const timed = (sentAt: number, tookMs: number) => ({
    ids: [...ids],
    sentAt: ids.map(() => sentAt),
    tookMs: ids.map(() => tookMs),
  });
  const seen = { answered: timed(0, 12), started: timed(4, 1), finished: timed(10, 1) };
  return { ...emptyReport(), sent: ids.length, ...seen };
}

test("orders that go round as they should have no fault", () => {
  expect(deliveryFaults(goneRound("a", "b"))).toEqual([]);
});

test("a customer who was never answered is lost", () => {
  expect(deliveryFaults({ ...goneRound("a"), sent: 2 })).toEqual(["1 customers were lost"]);
});

test("an order that is answered to two customers is found", () => {
  const report = goneRound("a", "b");
  report.answered.ids[1] = "a";
  expect(deliveryFaults(report)).toContain("1 orders were answered twice");
});

test("an order that two baristas start is found", () => {
  const report = goneRound("a", "b");
  report.started.ids[1] = "a";
  expect(deliveryFaults(report)).toContain("1 orders were started twice");
});

test("an answer before the barista's word is found", () => {
  const report = goneRound("a");
  report.answered.tookMs[0] = 5;
  expect(deliveryFaults(report)).toEqual(["1 customers were answered before, or without, a barista's word"]);
});

test("an accepted order that is never made is found", () => {
  const report = { ...goneRound(), placed: goneRound("a").answered };
  expect(deliveryFaults(report)).toEqual(["1 orders were answered or placed and never made"]);
  expect(deliveryFaults(report, 1)).toEqual([]);
});

test("who hung up may or may not have been served, and no other", () => {
  const report = goneRound("a");
  const hungUp = { ...report, sent: 1, answered: emptyReport().answered, left: 1 };
  expect(deliveryFaults(hungUp)).toEqual([]);
  expect(deliveryFaults({ ...hungUp, finished: emptyReport().finished, started: emptyReport().started })).toEqual([]);
  expect(deliveryFaults({ ...hungUp, sent: 0, left: 0 })).toEqual(["1 orders were made without a customer"]);
});

test("what the load could not explain is a fault", () => {
  const faults = { "a customer got another's order": 2 };
  expect(deliveryFaults({ ...goneRound("a"), faults })).toEqual(["2 × a customer got another's order"]);
});

test("calls that a machine makes have no fault, and each that goes wrong is found", () => {
  const right = { ...emptyReport(), sent: 2, made: 2, answered: goneRound("a", "b").answered };
  expect(callFaults(right)).toEqual([]);
  expect(callFaults({ ...right, sent: 3 })).toEqual(["1 calls were lost"]);
  expect(callFaults({ ...right, made: 3 })).toEqual(["3 were made for 2 answers"]);
  expect(callFaults({ ...right, answered: goneRound("a", "a").answered })).toEqual(["1 orders were answered twice"]);
  expect(callFaults({ ...right, faults: { "another's result": 1 } })).toEqual(["1 × another's result"]);
});
