/**
 * Owns how long a simulator waits before it asks again.
 *
 * **Invariants**
 * - No wait is zero, none ends before the server's Retry-After, and waits are spread, so that a crowd does not come
 *   back as one.
 */
import { setTimeout as sleep } from "node:timers/promises";

const FIRST_MS = 250;
const LONGEST_MS = 10_000;

/**
 * The wait in milliseconds before try `attempt` + 1, counted from 0: Retry-After, and on top a random part that grows.
 */
export function backOffMs(attempt: number, retryAfterSeconds = 0): number {
  const ceilingMs = Math.min(LONGEST_MS, FIRST_MS * 2 ** attempt);
  return retryAfterSeconds * 1000 + between(ceilingMs / 4, ceilingMs);
}

/** A random number from `min` to `max`, evenly spread. */
export function between(min: number, max: number): number {
  return min + Math.random() * (max - min);
}

/** Resolves after `ms`, or at once when `signal` is aborted. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
