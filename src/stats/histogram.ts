/**
 * Owns the buckets that times are counted in, and what is read from them: each bucket is wider than the one before by
 * the same factor, so that the error is bounded, relative to the time (as in DDSketch,
 * https://arxiv.org/abs/1908.10693).
 *
 * **Invariants**
 * - A quantile is at most MAX_ERROR away from the time of that rank, relative to it.
 */

/** `redis/lib/stats.lua` counts by it: to change it makes another histogram of what was counted before. */
export const BUCKET_GROWTH = 1.1;

/** 4.8 %: half a bucket. */
export const MAX_ERROR = (BUCKET_GROWTH - 1) / (BUCKET_GROWTH + 1);

/** How many times fell into each bucket. */
export type Histogram = ReadonlyMap<number, number>;

/** Bucket 0 is no time at all; bucket n is what is above `growth ** (n - 2)` ms, up to `growth ** (n - 1)`. */
function msOfBucket(bucket: number): number {
  return bucket === 0 ? 0 : (2 * BUCKET_GROWTH ** (bucket - 1)) / (BUCKET_GROWTH + 1);
}

/** The time below or at which that share of all times lies, ms; null where there is none. */
export function quantileMs(histogram: Histogram, share: number): number | null {
  const count = countOf(histogram);
  const rank = Math.max(1, Math.ceil(share * count));
  let passed = 0;
  for (const [bucket, times] of [...histogram].toSorted(([one], [other]) => one - other)) {
    passed += times;
    if (passed >= rank) return msOfBucket(bucket);
  }
  return null;
}

export function countOf(histogram: Histogram): number {
  return histogram.values().reduce((sum, times) => sum + times, 0);
}
