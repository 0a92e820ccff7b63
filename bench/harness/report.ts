/**
 * Owns what a part of the load saw, from where it stood: ids and times, nothing taken from a server's word.
 *
 * **Invariants**
 * - What was sent ends as answered, refused, left or a fault.
 * - Whatever is missing was lost.
 */
import { clock } from "./clock.ts";

/** Ids, and for each the time of its sending (`clock`) and how long its answer took. Columns, for there are many. */
export interface Timed {
  readonly ids: string[];
  readonly sentAt: number[];
  readonly tookMs: number[];
}

export interface Report {
  /** Orders for which a customer was to be held. */
  sent: number;
  /** Held customers who got their own order, ready. */
  readonly answered: Timed;
  /** Orders that were accepted with 202. */
  readonly placed: Timed;
  readonly started: Timed;
  readonly finished: Timed;
  /** A flood's requests that were let in; they are no orders. */
  served: number;
  /** Answers of 429. */
  refused: number;
  /** Customers who hung up before they were answered. */
  left: number;
  /** Anything else that came, in words, each with how often. */
  readonly faults: Record<string, number>;
}

export function emptyReport(): Report {
  const timed = (): Timed => ({ ids: [], sentAt: [], tookMs: [] });
  const columns = { answered: timed(), placed: timed(), started: timed(), finished: timed() };
  return { sent: 0, ...columns, served: 0, refused: 0, left: 0, faults: {} };
}

/** Notes an answer that has just come. */
export function note(timed: Timed, id: string, sentAt: number): void {
  timed.ids.push(id);
  timed.sentAt.push(sentAt);
  timed.tookMs.push(clock() - sentAt);
}

export function noteFault({ faults }: Report, fault: string): void {
  faults[fault] = (faults[fault] ?? 0) + 1;
}

/** What several parts of the load saw together. */
export function mergeReports(reports: readonly Report[]): Report {
  const merged = emptyReport();
  for (const report of reports) {
    merged.sent += report.sent;
    merged.served += report.served;
    merged.refused += report.refused;
    merged.left += report.left;
    for (const column of ["answered", "placed", "started", "finished"] as const) append(merged[column], report[column]);
    for (const [fault, count] of Object.entries(report.faults)) {
      merged.faults[fault] = (merged.faults[fault] ?? 0) + count;
    }
  }
  return merged;
}

function append(to: Timed, { ids, sentAt, tookMs }: Timed): void {
  for (const id of ids) to.ids.push(id);
  for (const at of sentAt) to.sentAt.push(at);
  for (const ms of tookMs) to.tookMs.push(ms);
}
