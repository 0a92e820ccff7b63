/**
 * Owns answers that are made once and sent often: pages, Swagger UI, descriptions, the menu.
 *
 * **Invariants**
 * - A content has one tag, whatever its encoding.
 * - A client that has it already gets 304 and no body.
 * - Content is squeezed once, off the event loop, and where that makes it smaller.
 */
import { promisify } from "node:util";
import { gzip } from "node:zlib";

const squeeze = promisify(gzip);

/** A content as it is sent. */
export interface ReadyFile {
  readonly plain: string | Uint8Array<ArrayBuffer>;
  readonly gzipped: Uint8Array<ArrayBuffer> | undefined;
  readonly tag: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Makes a content ready; `headers` need a Content-Type. Asked for again each time, unless they say otherwise. */
export async function makeReady(
  plain: ReadyFile["plain"],
  headers: Readonly<Record<string, string>> & { readonly "Content-Type": string },
): Promise<ReadyFile> {
  const bytes = Buffer.from(plain);
  const gzipped = new Uint8Array(await squeeze(bytes));
  // Weak: it stands for the plain and for the squeezed bytes.
  const tag = `W/"${Bun.hash(bytes).toString(36)}"`;
  return {
    plain,
    gzipped: gzipped.length < bytes.length ? gzipped : undefined,
    tag,
    headers: { "Cache-Control": "no-cache", ...headers, ETag: tag, Vary: "Accept-Encoding" },
  };
}

export function answerReady({ plain, gzipped, tag, headers }: ReadyFile, request: Request): Response {
  if (request.headers.get("if-none-match")?.includes(tag)) return new Response(null, { status: 304, headers });
  // A client that forbids gzip with `q=0` gets the file plain.
  if (!gzipped || !/\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))/i.test(request.headers.get("accept-encoding") ?? "")) {
    return new Response(plain, { headers });
  }
  return new Response(gzipped, { headers: { ...headers, "Content-Encoding": "gzip" } });
}
