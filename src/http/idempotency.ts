/** Owns the reading of Idempotency-Key (draft-ietf-httpapi-idempotency-key-header). Always holds: a key is short and visible. */
import { invalidInput } from "../problem.ts";

/** For the OpenAPI document; `effect` says what the same key does again. */
export function idempotencyKeyHeader(effect: string) {
  return {
    name: "Idempotency-Key",
    description: `1 to 255 visible characters, such as a UUID. ${effect}`,
  };
}

/** The key, undefined where there is none, or the problem with it. */
export function readIdempotencyKey(headers: Headers): string | undefined | Response {
  const key = headers.get("idempotency-key") ?? undefined;
  if (key === undefined || /^[\x20-\x7e]{1,255}$/.test(key)) return key;
  return invalidInput([{ field: "Idempotency-Key", detail: "must be 1 to 255 visible ASCII characters" }]);
}
