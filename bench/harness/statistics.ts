/** Owns the figures: exact quantiles of one run by nearest rank, medians and spread of several runs. */
import type { Timed } from "./report.ts";

/** The smallest value that at least the share `q` (0 to 1) of `values` does not exceed; NaN when there is none. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = Float64Array.from(values).toSorted();
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? NaN;
}

/** The middle of the runs, or the mean of the two middle ones. */
export function median(values: readonly number[]): number {
  const sorted = Float64Array.from(values).toSorted();
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? NaN) + (sorted[Math.floor(middle)] ?? NaN)) / 2;
}

/** A stretch of time, by `clock`. */
export interface Window {
  readonly from: number;
  readonly until: number;
}

/** What came back within the window: its rate, and how long it took. */
export function within(
  { ids, sentAt, tookMs }: Timed,
  { from, until }: Window,
): { perSecond: number; tookMs: number[] } {
  const took = tookMs.filter((ms, index) => {
    const at = (sentAt[index] ?? NaN) + ms;
    return ids[index] !== undefined && at >= from && at < until;
  });
  return { perSecond: took.length / ((until - from) / 1000), tookMs: took };
}
