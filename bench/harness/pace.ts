/** Owns an open loop: `tick` is called `perSecond` times a second by the clock, whatever became of the calls before. */

const LOOK_MS = 1;

/** Returns how to stop it. Ticks that fell due together are called together. */
export function pace(perSecond: number, tick: () => void): () => void {
  const begun = performance.now();
  let ticks = 0;
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - begun) / 1000) * perSecond);
    for (; ticks < due; ticks++) tick();
  }, LOOK_MS);
  return () => clearInterval(timer);
}
