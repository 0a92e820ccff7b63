/**
 * Owns where an order's JSON, or that of its events, names the trace that it is part of.
 *
 * **Invariants**
 * - Only the member that the order keeps is read: no text of a customer's is taken for it.
 */

/** Ends what never changes of an order. What is large, such as an input, stands behind it. */
const LAST_FIXED = '"placed_at":"';
// (No text has such a member in it: a quote inside stands behind a backslash.)
const NAME = '"traceparent":"';
const MEMBER = /"traceparent":"([\da-f-]{55})"/;

/** The order's `traceparent`; undefined: it is not traced. */
export function traceparentIn(json: string): string | undefined {
  if (!json.includes(NAME)) return undefined;
  return MEMBER.exec(json.slice(0, Math.max(0, json.indexOf(LAST_FIXED))))?.[1];
}
