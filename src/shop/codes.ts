/**
 * Owns the codes that let customers order only so often: one at a time, each good for some drinks.
 *
 * **Invariants**
 * - The current code is the same on every replica, and can't be guessed.
 */
import { Type, type Static } from "@sinclair/typebox";
import { renderSVG } from "uqr";
import { DATE_TIME } from "../formats.ts";
import type { ShopRedis } from "../redis/connections.ts";
import { asInteger, asList, asText } from "../redis/reply.ts";
import { loadScript } from "../redis/script.ts";

/** Crockford's base 32: no letter that looks like a digit, as codes may be read out. */
const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/** 60 bits. */
const LENGTH = 12;

/** The current code, on the wire. */
export const CodeView = Type.Object(
  {
    code: Type.String(),
    url: Type.String({ description: "where the code leads: the customers' page" }),
    qr_svg: Type.String({ description: "the URL as a QR picture" }),
    remaining: Type.Integer({ description: "drinks that the code is still good for" }),
    changes_at: Type.String({ format: DATE_TIME, description: "when the next code comes" }),
  },
  {
    $id: "Code",
    examples: [
      {
        code: "7QK2M9XWTR3B",
        url: "http://192.168.1.20:8000/?code=7QK2M9XWTR3B",
        qr_svg: "<svg …></svg>",
        remaining: 7,
        changes_at: "2026-11-20T09:35:00.000Z",
      },
    ],
  },
);
export type CodeView = Static<typeof CodeView>;

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
