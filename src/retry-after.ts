/**
 * Owns the header Retry-After of an answer: in browsers, Node and Bun.
 *
 * **Invariants**
 * - What can't be read counts as none.
 */

/**
 * Retry-After (RFC 9110, 10.2.3) in milliseconds; 0 when there is none. A date counts from the server's own, where
 * the answer has one.
 */
export function readRetryAfterMs(headers: Headers): number {
  const text = headers.get("Retry-After") ?? "";
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  const nowMs = Date.parse(headers.get("Date") ?? "") || Date.now();
  return Math.max(0, Date.parse(text) - nowMs || 0);
}
