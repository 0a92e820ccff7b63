/**
 * Owns waiting: for a condition, or for a process to come to rest.
 *
 * **Invariants**
 * - Both are bounded.
 */

const LOOK_MS = 50;

/** Looks until it is so; throws, naming it, when that takes longer than `seconds`. */
export async function until(isSo: () => Promise<boolean>, what: string, seconds: number): Promise<void> {
  const deadline = performance.now() + seconds * 1000;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`not so after ${seconds} s: ${what}`);
    await Bun.sleep(LOOK_MS);
  }
}

/** The smallest of the readings over some seconds: what stays when the garbage is gone. */
export async function settled(read: () => number | Promise<number>, seconds: number): Promise<number> {
  let least = Infinity;
  for (let left = 10; left > 0; left--) {
    await Bun.sleep((seconds * 1000) / 10);
    least = Math.min(least, await read());
  }
  return least;
}
