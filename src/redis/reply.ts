/**
 * Owns the reading of script replies.
 *
 * **Invariants**
 * - A reply of another shape than the script's header says throws.
 */

/** A list reply. */
export function asList(reply: unknown): readonly unknown[] {
  if (Array.isArray(reply)) return reply;
  throw new TypeError(`expected a list from a script, not ${typeof reply}`);
}

/** A string reply. */
export function asText(reply: unknown): string {
  if (typeof reply === "string") return reply;
  throw new TypeError(`expected a string from a script, not ${typeof reply}`);
}

/** A string reply that may come in several, to be put together. */
export function asJoined(reply: unknown): string {
  return typeof reply === "string" ? reply : asList(reply).map(asText).join("");
}

/** An integer reply. */
export function asInteger(reply: unknown): number {
  if (typeof reply === "number") return reply;
  throw new TypeError(`expected an integer from a script, not ${typeof reply}`);
}
