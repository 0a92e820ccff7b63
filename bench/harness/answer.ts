/**
 * Owns how the load reads HTTP/1.1 answers: by Content-Length, or chunked, as a held answer with heartbeats is.
 *
 * **Invariants**
 * - An answer is read only once it is whole.
 * - Bodies are ASCII here, so a character is a byte.
 */

export interface Answer {
  readonly status: number;
  readonly body: string;
}

const HEAD_END = "\r\n\r\n";

/** The answer at the beginning of `text`; undefined while some of it is missing. */
export function readAnswer(text: string): Answer | undefined {
  const end = text.indexOf(HEAD_END);
  if (end < 0) return undefined;
  const head = text.slice(0, end);
  const status = Number(head.slice(9, 12));
  const start = end + HEAD_END.length;
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (length !== undefined) {
    const stop = start + Number(length);
    return text.length < stop ? undefined : { status, body: text.slice(start, stop) };
  }
  if (!/\r\ntransfer-encoding: *chunked/i.test(head)) return { status, body: "" };
  const body = readChunks(text, start);
  return body === undefined ? undefined : { status, body };
}

/** The chunks from `at` to the last one, joined (RFC 9112, 7.1). */
function readChunks(text: string, at: number): string | undefined {
  let body = "";
  for (;;) {
    const lineEnd = text.indexOf("\r\n", at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(text.slice(at, lineEnd), 16);
    const next = lineEnd + 2 + size + 2;
    if (text.length < next) return undefined;
    if (size === 0) return body;
    body += text.slice(lineEnd + 2, lineEnd + 2 + size);
    at = next;
  }
}
