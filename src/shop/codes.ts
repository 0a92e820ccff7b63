/**
 * Owns the codes that let customers order only so often: one at a time, each good for some drinks.
 *
 * **Invariants**
 * - The current code is the same on every replica, and can't be guessed.
 */
import { renderSVG } from "uqr";
import type { ShopRedis } from "../redis/connections.ts";
import { asInteger, asList, asText } from "../redis/reply.ts";
import { loadScript } from "../redis/script.ts";

/** Crockford's base 32: no letter that looks like a digit, as codes may be read out. */
const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/** 60 bits. */
const LENGTH = 12;

export interface CurrentCode {
  readonly code: string;
  /** Drinks that it is still good for. */
  readonly remaining: number;
  readonly changesAtMs: number;
}

/** Makes the reader of the current code. */
export function createCodes({ run }: Pick<ShopRedis, "run">): () => Promise<CurrentCode> {
  const script = loadScript("current-code");
  return async () => {
    const [code, remaining, changesAt] = asList(await run(script, [newCode()]));
    return { code: asText(code), remaining: asInteger(remaining), changesAtMs: asInteger(changesAt) };
  };
}

/** A QR picture of the text, as SVG. */
export function drawQr(text: string): string {
  return renderSVG(text, { border: 2 });
}

function newCode(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(LENGTH));
  return Array.from(bytes, (byte) => ALPHABET[byte % ALPHABET.length]).join("");
}
