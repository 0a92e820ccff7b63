/**
 * Owns what the load saw, from where it stood, and the check of exact delivery that every run has to pass.
 *
 * **Invariants**
 * - Nothing is taken from a server's word.
 * - What was sent ends as answered, refused, left or a fault. Whatever is missing was lost.
 * - Each accepted order is answered once, to its own customer, after its finish, and started and finished once.
 */

/** Ids, and for each the time of its sending (`clock`) and how long its answer took. Columns, for there are many. */
export type Timed = { readonly ids: string[]; readonly sentAt: number[]; readonly tookMs: number[] };

export interface Report {
  /** Orders for which a customer was to be held. */
  sent: number;
  /** Held customers who got their own order, ready. */
  readonly answered: Timed;
  /** Orders that were accepted with 202. */
  readonly placed: Timed;
  readonly started: Timed;
  readonly finished: Timed;
  /** How many calls a machine of the bench has made, as it counts itself. */
  made: number;
  /** A flood's requests that were let in; they are no orders. */
  served: number;
  /** Answers of 429. */
  refused: number;
  /** Customers who hung up before they were answered. */
  left: number;
  /** Anything else that came, in words, each with how often. */
  readonly faults: Record<string, number>;
}

const COLUMNS = ["answered", "placed", "started", "finished"] as const;
const COUNTS = ["sent", "served", "refused", "left"] as const;

/** Milliseconds since 1970, with fractions: comparable between processes of one machine, and steady within one. */
export function clock(): number {
  return performance.timeOrigin + performance.now();
}

export function emptyReport(): Report {
  const timed = (): Timed => ({ ids: [], sentAt: [], tookMs: [] });
  const columns = { answered: timed(), placed: timed(), started: timed(), finished: timed() };
  return { sent: 0, ...columns, made: 0, served: 0, refused: 0, left: 0, faults: {} };
}

/** Notes an answer that has just come. */
export function note({ ids, sentAt: sent, tookMs }: Timed, id: string, sentAt: number): void {
  ids.push(id);
  sent.push(sentAt);
  tookMs.push(clock() - sentAt);
}

export function noteFault({ faults }: Report, fault: string, times = 1): void {
  faults[fault] = (faults[fault] ?? 0) + times;
}

/** What several parts of the load saw together. */
export function mergeReports(reports: readonly Report[]): Report {
  const merged = emptyReport();
  for (const report of reports) {
    for (const count of COUNTS) merged[count] += report[count];
    merged.made = Math.max(merged.made, report.made);
    for (const column of COLUMNS) append(merged[column], report[column]);
    for (const [fault, times] of Object.entries(report.faults)) noteFault(merged, fault, times);
  }
  return merged;
}

/** One at a time: a million are too many arguments. */
function append(to: Timed, { ids, sentAt, tookMs }: Timed): void {
  for (const id of ids) to.ids.push(id);
  for (const at of sentAt) to.sentAt.push(at);
  for (const ms of tookMs) to.tookMs.push(ms);
}

/** When each order's request was answered, by id. */
export function answerTimes({ ids, sentAt, tookMs }: Timed): Map<string, number> {
  return new Map(ids.map((id, index) => [id, (sentAt[index] ?? NaN) + (tookMs[index] ?? NaN)]));
}

/** Throws an error that names every fault: the figures of such a run are worth nothing. */
export function checkDelivery(reports: readonly Report[], stillQueued = 0): void {
  const faults = deliveryFaults(mergeReports(reports), stillQueued);
  if (faults.length > 0) throw new Error(`delivery was not exact: ${faults.join("; ")}`);
}

/** The same for calls of a machine that counts what it makes. */
export function checkCalls(report: Report): void {
  const faults = callFaults(report);
  if (faults.length > 0) throw new Error(`delivery was not exact: ${faults.join("; ")}`);
}

/** What was wrong with calls, in words: each is answered once, and no more are made than are answered. */
export function callFaults({ sent, made, answered: { ids }, faults: noted }: Report): string[] {
  const faults = Object.entries(noted).map(([fault, times]) => `${times} × ${fault}`);
  const expect = (isRight: boolean, fault: string): void => void (isRight || faults.push(fault));
  expect(sent === ids.length, `${sent - ids.length} calls were lost`);
  const twice = ids.length - new Set(ids).size;
  expect(twice === 0, `${twice} orders were answered twice`);
  expect(made === ids.length, `${made} were made for ${ids.length} answers`);
  return faults;
}

/** What was wrong, in words. `stillQueued` orders are meant to be in the queue when the load has ended. */
export function deliveryFaults(report: Report, stillQueued = 0): string[] {
  const { sent, answered, placed, started, finished, served, refused, left } = report;
  const faults = Object.entries(report.faults).map(([fault, times]) => `${times} × ${fault}`);
  const expect = (isRight: boolean, fault: string): void => void (isRight || faults.push(fault));

  const lost = sent - answered.ids.length - served - refused - left;
  expect(lost === 0, `${lost} customers were lost`);
  for (const column of COLUMNS) {
    const { ids } = report[column];
    const twice = ids.length - new Set(ids).size;
    expect(twice === 0, `${twice} orders were ${column} twice`);
  }
  const unfinished = started.ids.length - finished.ids.length;
  expect(started.ids.length === 0 || unfinished === 0, `${unfinished} orders were started and not finished`);
  const early = countEarly(answered, finished);
  expect(early === 0, `${early} customers were answered before, or without, a barista's word`);

  // Of those who hung up some were served to no one; all others' orders were made, once.
  const unserved = finished.ids.length + stillQueued - answered.ids.length - placed.ids.length;
  expect(unserved >= 0, `${-unserved} orders were answered or placed and never made`);
  expect(unserved <= left, `${unserved - left} orders were made without a customer`);
  return faults;
}

/** Answers to orders that no barista had finished when they came. */
function countEarly(answered: Timed, finished: Timed): number {
  const finishedAt = new Map(finished.ids.map((id, index) => [id, finished.sentAt[index] ?? Infinity]));
  const answeredAt = answerTimes(answered);
  // The clocks of two processes agree to a fraction of a millisecond.
  return answered.ids.filter((id) => (answeredAt.get(id) ?? 0) + 1 < (finishedAt.get(id) ?? Infinity)).length;
}
