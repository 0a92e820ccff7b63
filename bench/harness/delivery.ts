/**
 * Owns the check of exact delivery, which every run has to pass: each accepted order is answered exactly once, with its
 * own order_id, none is lost, and none is started twice.
 */
import type { Report, Timed } from "./report.ts";

export interface Expectation {
  /** Orders that are meant to be queued still when the load has ended. */
  readonly stillQueued?: number;
}

/** Thrown by a run that does not pass: its figures are worth nothing. */
class DeliveryError extends Error {
  override readonly name = "DeliveryError";
}

/** Throws a DeliveryError that names every fault. */
export function checkDelivery(report: Report, expectation: Expectation = {}): void {
  const faults = deliveryFaults(report, expectation);
  if (faults.length > 0) throw new DeliveryError(`delivery was not exact: ${faults.join("; ")}`);
}

/** What was wrong, in words; empty when everything was right. */
export function deliveryFaults(report: Report, { stillQueued = 0 }: Expectation = {}): string[] {
  const { sent, answered, placed, started, finished, served, refused, left } = report;
  const faults = Object.entries(report.faults).map(([fault, count]) => `${count} × ${fault}`);
  const expect = (isRight: boolean, fault: string): void => void (isRight || faults.push(fault));

  const lost = sent - answered.ids.length - served - refused - left;
  expect(lost === 0, `${lost} customers were lost`);
  for (const [what, { ids }] of Object.entries({ answered, placed, started, finished })) {
    const twice = ids.length - new Set(ids).size;
    expect(twice === 0, `${twice} orders were ${what} twice`);
  }
  const unfinished = started.ids.length - finished.ids.length;
  expect(started.ids.length === 0 || unfinished === 0, `${unfinished} orders were started and not finished`);
  const early = countEarly(answered, finished);
  expect(early === 0, `${early} customers were answered before, or without, a barista's word`);

  // Of those who hung up some were served nobody; everybody else's order was made, once.
  const nobodys = finished.ids.length + stillQueued - answered.ids.length - placed.ids.length;
  expect(nobodys >= 0, `${-nobodys} orders were answered or placed and never made`);
  expect(nobodys <= left, `${nobodys - left} orders were made that nobody waited for`);
  return faults;
}

/** Answers to orders that nobody had said to be finished when they came. */
function countEarly(answered: Timed, finished: Timed): number {
  const finishedAt = new Map(finished.ids.map((id, index) => [id, finished.sentAt[index] ?? Infinity]));
  return answered.ids.filter((id, index) => {
    const answeredAt = (answered.sentAt[index] ?? 0) + (answered.tookMs[index] ?? 0);
    // The clocks of two processes agree to a fraction of a millisecond.
    return answeredAt + 1 < (finishedAt.get(id) ?? Infinity);
  }).length;
}
