/**
 * Owns the bound on a wait.
 *
 * **Invariants**
 * - No timer outlives it.
 */

/** The value of `promise`, or undefined when that takes longer than `ms`; the promise itself goes on. */
export async function within<Value>(ms: number, promise: Promise<Value>): Promise<Value | undefined> {
  const late = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => late.resolve(undefined), ms);
  return await Promise.race([promise, late.promise]).finally(() => clearTimeout(timer));
}
