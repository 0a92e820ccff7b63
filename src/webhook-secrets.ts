/**
 * Owns the secrets that sign webhooks, as settings and files spell them: `whsec_…`, or two for a change.
 *
 * **Invariants**
 * - No fault shows anything of a secret.
 */
const SECRET = /^whsec_([A-Za-z0-9+/]+={0,2})$/;
/** Of bytes, as Standard Webhooks says. */
const MIN_BYTES = 24;
const MAX_BYTES = 64;

export type SecretsReading =
  | { readonly kind: "secrets"; readonly secrets: readonly string[] }
  | { readonly kind: "fault"; readonly fault: string };

export const SECRETS_DESCRIPTION = `one or two secrets: each whsec_ and base64 of ${MIN_BYTES} to ${MAX_BYTES} bytes`;

/** Reads one secret, or two that are apart by spaces, commas or line ends: the newer first. */
export function readSecrets(text: string): SecretsReading {
  const secrets = text.split(/[\s,]+/).filter((part) => part !== "");
  if (secrets.length === 1 || secrets.length === 2) {
    if (secrets.every(isSecret)) return { kind: "secrets", secrets };
  }
  return { kind: "fault", fault: SECRETS_DESCRIPTION };
}

export function isSecrets(text: string): boolean {
  return readSecrets(text).kind === "secrets";
}

function isSecret(text: string): boolean {
  const base64 = SECRET.exec(text)?.[1] ?? "";
  const bytes = Buffer.from(base64, "base64");
  const isWhole = bytes.toString("base64") === base64;
  return isWhole && bytes.length >= MIN_BYTES && bytes.length <= MAX_BYTES;
}
