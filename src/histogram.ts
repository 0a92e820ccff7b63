/**
 * Owns how sizes and times are counted: by buckets, in plain numbers, so that a busy server is none the slower.
 *
 * **Invariants**
 * - It takes the same memory however much was observed.
 */
export class Histogram {
  /** The highest value of each bucket; one more bucket holds what is above all. */
  readonly bounds: readonly number[];
  /** How many fell into each bucket, the last one included. */
  readonly counts: number[];
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  observe(value: number): void {
    const { bounds, counts } = this;
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] ?? 0)) bucket += 1;
    counts[bucket] = (counts[bucket] ?? 0) + 1;
    this.sum += value;
  }
}

/** Bounds for what takes a server milliseconds, in seconds. */
export const SHORT_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30] as const;
/** Bounds for what people wait for, or machines, in seconds. */
export const LONG_SECONDS = [0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 14_400] as const;
