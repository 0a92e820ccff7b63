/**
 * Owns where a request says what trace it is part of: its header `traceparent` (W3C Trace Context).
 *
 * **Invariants**
 * - Where nothing is traced no header is read.
 * - It is passed on as it was sent: tracing ignores what is none.
 */
export type ReadTraceparent = (headers: Headers) => string | undefined;

export function createTraceparentReader(isTraced: boolean): ReadTraceparent {
  return isTraced ? (headers) => headers.get("traceparent") || undefined : () => undefined;
}
