/**
 * Owns what the parts of the load have in common: how they begin, end and are asked how far they are.
 *
 * **Invariants**
 * - Every wait at an end is bounded.
 * - Who does not come to an end is reported as lost.
 */
import type { Report } from "../report.ts";

/** How far a part of the load is. */
export interface Count {
  readonly answered: number;
  readonly finished: number;
  readonly served: number;
  readonly refused: number;
  readonly left: number;
}

export interface Role {
  readonly report: Report;
  /** Resolves once everybody is where the load begins. */
  begin(): Promise<void>;
  /** Ends what goes on by the clock; nothing else. */
  pause?(): Promise<void>;
  /** Begins nothing new, and resolves when what was begun has ended. */
  end(): Promise<void>;
}

/** Longest wait for what was begun to end. */
const END_BOUND_MS = 60_000;

/** Connections that are being opened at the same time: fewer than a listener's backlog. */
const OPENERS = 64;

/** Waits for all, for a minute at most. */
export async function allEnd(ends: readonly Promise<unknown>[]): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, END_BOUND_MS);
  await Promise.race([Promise.all(ends), late.promise]).finally(() => clearTimeout(timer));
}

/** Calls `begin` for 0 … count - 1, a few at a time, and resolves when each has. */
export async function beginEach(count: number, begin: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const opener = async (): Promise<void> => {
    while (next < count) await begin(next++);
  };
  await Promise.all(Array.from({ length: Math.min(OPENERS, count) }, opener));
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
