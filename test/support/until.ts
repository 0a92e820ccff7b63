/** Waits for a condition, looking every few milliseconds; fails, naming it, when it does not come true within `ms`. */
export async function until(condition: () => boolean | Promise<boolean>, what: string, ms = 10_000): Promise<void> {
  const deadline = performance.now() + ms;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`still not true after ${ms} ms: ${what}`);
    await Bun.sleep(5);
  }
}

/**
 * The value of a promise that must come within `ms`: without more, well under the 30 s after which everything is looked
 * at again. Fails, naming it, when it does not come.
 */
export async function soon<Value>(promise: Promise<Value>, what: string, ms = 10_000): Promise<Value> {
  let isSettled = false;
  const settle = (): boolean => (isSettled = true);
  promise.then(settle, settle);
  await until(() => isSettled, what, ms);
  return await promise;
}
