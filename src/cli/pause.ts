/** Owns what takes people time. */
import { setTimeout as sleep } from "node:timers/promises";

/** A random number from `min` to `max`, evenly spread. */
export function between(min: number, max: number): number {
  return min + Math.random() * (max - min);
}

/** Resolves after `ms`, or at once when `signal` is aborted. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
