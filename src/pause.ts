/**
 * Owns waits for a time, and random spans: in browsers, Node and Bun.
 *
 * **Invariants**
 * - No timer or listener outlives a wait.
 */

/** A random number from `min` to `max`, evenly spread. */
export function between(min: number, max: number): number {
  return min + Math.random() * (max - min);
}

/** Resolves after `ms`, or as soon as one of the signals is aborted. */
export function pause(ms: number, ...signals: readonly (AbortSignal | undefined)[]): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      for (const signal of signals) signal?.removeEventListener("abort", end);
      resolve();
    };
    // Timers may be early by a part of a millisecond.
    const timer = setTimeout(end, ms + 1);
    for (const signal of signals) signal?.addEventListener("abort", end);
    if (signals.some((signal) => signal?.aborted)) end();
  });
}
