/**
 * Owns what the shop and the limit answer to orders that want in.
 *
 * **Invariants**
 * - A refusal changes nothing: nothing is queued, and no code is spent.
 */
export const WHY_REFUSED = [
  "closed",
  "full",
  "too_many_open",
  "unknown_item",
  "unavailable_item",
  "unknown_modifier",
  "unknown_option",
  "code_required",
  "code_wrong",
  "code_used_up",
  "queue_unknown",
  "queue_full",
  "not_before_past",
  "not_before_far",
] as const;
type WhyRefused = (typeof WHY_REFUSED)[number];

/** The shop's no. `subject` is the item or the modifier that it is about, or empty. */
export interface ShopRefusal {
  readonly kind: "refused";
  readonly why: WhyRefused;
  readonly subject: string;
}

/** The bucket of an address, after the operation. */
export interface Tokens {
  /** Whole tokens left. */
  readonly remaining: number;
  /** Until there is a token; 0 while there is one. */
  readonly retryAfterMs: number;
  /** Until the bucket is full. */
  readonly resetAfterMs: number;
}

export function readShopRefusal([why, subject = ""]: readonly string[]): ShopRefusal {
  const known = WHY_REFUSED.find((each) => each === why);
  if (!known) throw new TypeError(`the shop refused for ${why}`);
  return { kind: "refused", why: known, subject: subject && (JSON.parse(subject) as string) };
}

export function readTokens([remaining, retryAfterMs, resetAfterMs]: readonly string[]): Tokens {
  return { remaining: Number(remaining), retryAfterMs: Number(retryAfterMs), resetAfterMs: Number(resetAfterMs) };
}
