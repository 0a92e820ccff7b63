/**
 * Owns how pauses grow between tries. What chance does with them is their user's choice.
 *
 * **Invariants**
 * - Each pause is at most twice as long as the one before, and never longer than `maxMs`.
 */

/** The bounds of the pauses: the first is at most `firstMs` long, each next one twice that, none more than `maxMs`. */
export interface BackOff {
  readonly firstMs: number;
  readonly maxMs: number;
}

/** The longest pause after so many failures in a row, counted from 1. */
export function maxPauseMs(failures: number, { firstMs, maxMs }: BackOff): number {
  return Math.min(maxMs, firstMs * 2 ** (failures - 1));
}
