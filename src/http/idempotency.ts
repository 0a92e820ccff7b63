/**
 * Owns the Idempotency-Key header (draft-ietf-httpapi-idempotency-key-header). Whose a key is, `service/` says.
 *
 * **Invariants**
 * - A key is short and visible.
 */
import { InvalidInputError } from "../problem.ts";

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
  return checkIdempotencyKey(headers.get("idempotency-key") ?? undefined, "Idempotency-Key");
}

/** The key that was given in a field. Throws a ProblemError for what is no key. */
export function checkIdempotencyKey(key: string | undefined, field: string): string | undefined {
  if (key === undefined || /^[\x20-\x7e]{1,255}$/.test(key)) return key;
  throw new InvalidInputError([{ field, detail: "must be 1 to 255 visible ASCII characters" }]);
}
