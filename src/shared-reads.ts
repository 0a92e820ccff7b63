/**
 * Owns how one read answers many who ask for the same.
 *
 * **Invariants**
 * - At most one read is under way, and one waits for its end.
 * - A caller gets a value that was read after it asked, or one kept for a bounded time.
 * - A read that fails fails for those who waited for it; the next one reads anew.
 */

/** Makes a reader that begins no second read while one is under way: callers that come meanwhile share the next. */
export function shareReads<Value>(read: () => Promise<Value>): () => Promise<Value> {
  let underWay: Promise<void> | undefined;
  let next: Promise<Value> | undefined;

  const end = (): void => {
    underWay = undefined;
  };
  const begin = (): Promise<Value> => {
    next = undefined;
    const reading = read();
    underWay = reading.then(end, end);
    return reading;
  };
  return () => {
    if (underWay) next ??= underWay.then(begin);
    return next ?? begin();
  };
}

export interface Keeping {
  /** How old a value may get that is answered without reading. */
  readonly keptMs: number;
  /** How often it was changed by this process: what was read before a change is not kept. */
  readonly changes: () => number;
}

/** The same, and what was read is kept for a while. */
export function keepReads<Value>(read: () => Promise<Value>, { keptMs, changes }: Keeping): () => Promise<Value> {
  let kept: { readonly value: Value; readonly until: number; readonly changes: number } | undefined;
  const share = shareReads(async () => {
    const [begunAt, changesBefore] = [performance.now(), changes()];
    const value = await read();
    kept = { value, until: begunAt + keptMs, changes: changesBefore };
    return value;
  });
  return async () => (kept && kept.changes === changes() && performance.now() < kept.until ? kept.value : share());
}
