/** Waits for a condition, looking every few milliseconds; fails, naming it, when it does not come true within `ms`. */
export async function until(condition: () => boolean | Promise<boolean>, what: string, ms = 10_000): Promise<void> {
  const deadline = performance.now() + ms;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`still not true after ${ms} ms: ${what}`);
    await Bun.sleep(5);
  }
}
