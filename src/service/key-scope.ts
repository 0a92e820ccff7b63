/**
 * Owns whose an Idempotency-Key is (draft-ietf-httpapi-idempotency-key-header).
 *
 * **Invariants**
 * - A key that others may choose too counts only together with its owner.
 * - A key with room for 128 bits counts alone, from everywhere.
 * - A key that is passed on has at most 43 characters, whatever was sent.
 */
import { blockOf } from "../limits/address.ts";

/** A UUID, or the same 32 hex digits without hyphens, as nginx's `$request_id`. */
const ROOMY = /^(?:[\da-f]{32}|[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})$/i;
/** Of 32 random hex digits fewer differ once in 20 million times; of digits made by hand (`aaaa…`), always. */
const MIN_DIGITS = 8;

/** The key of an order request as it counts: alone, as the named customer's, or as the address block's. */
export function scopeToCustomer(
  key: string | undefined,
  { customerId, address }: { readonly customerId: string | undefined; readonly address: string },
): string | undefined {
  if (key === undefined) return undefined;
  return scopeKey(key, customerId === undefined ? `block ${blockOf(address)}` : `customer ${customerId}`);
}

/** The claim that a key of a start makes: alone, or as the barista's. */
export function scopeToBarista(key: string | undefined, barista: string): string | undefined {
  return key === undefined ? undefined : scopeKey(key, `barista ${barista}`);
}

/** The same owner and key always give the same. */
function scopeKey(key: string, owner: string): string {
  if (countsAlone(key)) return key;
  return new Bun.CryptoHasher("sha256").update(JSON.stringify([owner, key])).digest("base64url");
}

function countsAlone(key: string): boolean {
  return ROOMY.test(key) && new Set(key.toLowerCase().replaceAll("-", "")).size >= MIN_DIGITS;
}
