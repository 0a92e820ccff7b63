/**
 * Owns what an Idempotency-Key is (draft-ietf-httpapi-idempotency-key-header), and whose.
 *
 * **Invariants**
 * - A key is short and visible.
 * - A key that others may choose too counts only together with its owner.
 * - A key with room for 128 bits counts alone, from everywhere.
 * - A key that is passed on has at most 43 characters, whatever was sent.
 */
import { InvalidInputError } from "../problem.ts";

/** A UUID, or the same 32 hex digits without hyphens, as nginx's `$request_id`. */
const ROOMY = /^(?:[\da-f]{32}|[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})$/i;
/** Of 32 random hex digits fewer differ once in 20 million times; of those made by hand (`aaaa…`, all zeros) always. */
const FEWEST_DIGITS = 8;

/** For the OpenAPI document; `effect` says what the same key does again, `owner` whose a shorter key is. */
export function idempotencyKeyHeader({ effect, owner }: { readonly effect: string; readonly owner: string }) {
  return {
    name: "Idempotency-Key",
    description:
      `1 to 255 visible characters: best a UUID, or 32 random hex digits, which count alone. ` +
      `A shorter one is ${owner}'s own: another's is another key. ${effect}`,
  };
}

/** The key as it was sent; undefined where there is none. Throws a ProblemError for what is no key. */
export function readIdempotencyKey(headers: Headers): string | undefined {
  const key = headers.get("idempotency-key") ?? undefined;
  if (key === undefined || /^[\x20-\x7e]{1,255}$/.test(key)) return key;
  throw new InvalidInputError([{ field: "Idempotency-Key", detail: "must be 1 to 255 visible ASCII characters" }]);
}

/** The key as it counts: alone, or as its owner's. The same owner and key always give the same. */
export function scopeKey(key: string, owner: string): string {
  if (countsAlone(key)) return key;
  return new Bun.CryptoHasher("sha256").update(JSON.stringify([owner, key])).digest("base64url");
}

function countsAlone(key: string): boolean {
  return ROOMY.test(key) && new Set(key.toLowerCase().replaceAll("-", "")).size >= FEWEST_DIGITS;
}
