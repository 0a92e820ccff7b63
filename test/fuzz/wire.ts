/**
 * Owns how a request of a run goes over the wire: bytes on a socket of its own, and what came back.
 *
 * **Invariants**
 * - Every exchange ends within its bound, and its socket is closed then.
 * - What came back is parsed here, strictly: a malformed answer is a fault of its own.
 */
import { connect } from "node:net";
import { gunzipSync } from "node:zlib";
import { encode, type Plan } from "./requests.ts";
import type { Stock } from "./stock.ts";

export interface Answer {
  readonly kind: "answer";
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** `none`: nothing came within the bound; `closed`: the server closed without an answer. */
export type Outcome = Answer | { readonly kind: "none" } | { readonly kind: "closed" } | { readonly kind: "malformed" };

/** A request as it is sent. */
export interface Sent {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly path: string;
  readonly query: ReadonlyMap<string, string>;
  readonly body: string | undefined;
  readonly isDamaged: boolean;
  readonly bytes: Buffer;
}

/** Puts what is known of the shop into a plan, and makes bytes of it. */
export function assemble(plan: Plan, stock: Stock, host: string): Sent {
  const path = stock.fill(plan.path);
  const pairs = plan.query.map(([name, value]) => [name, stock.fill(value)] as const);
  const query = pairs.map(([name, value]) => `${encode(name)}=${encode(value)}`).join("&");
  const target = query ? `${path}?${query}` : path;
  const body = plan.body === undefined ? undefined : stock.fill(plan.body);
  const head = [
    `${plan.method} ${target} HTTP/1.1`,
    `Host: ${host}`,
    "Connection: close",
    ...plan.headers.map(([name, value]) => `${name}: ${value}`),
    ...(body === undefined ? [] : [`Content-Length: ${Buffer.byteLength(body)}`]),
  ];
  const text = `${head.join("\r\n")}\r\n\r\n${body ?? ""}`;
  return {
    method: plan.method,
    target,
    path,
    query: new Map(pairs),
    body,
    // Node and Bun send what HTTP forbids in a header as it is: then it is another request.
    isDamaged: plan.damage !== undefined || plan.headers.some(([, value]) => !/^[\t\x20-\x7e]*$/.test(value)),
    bytes: plan.damage ? damaged(text, target, plan.damage) : Buffer.from(text),
  };
}

function damaged(whole: string, target: string, { kind, at, text }: NonNullable<Plan["damage"]>): Buffer {
  const index = Math.floor(whole.length * at);
  const lineEnd = whole.indexOf("\r\n");
  switch (kind) {
    case "swap a byte": {
      const bytes = Buffer.from(whole);
      bytes[Math.floor(bytes.length * at)] = Math.floor(at * 997) % 256;
      return bytes;
    }
    case "put in":
      return Buffer.from(whole.slice(0, index) + text + whole.slice(index));
    case "cut":
      return Buffer.from(whole.slice(0, index));
    case "target":
      return Buffer.from(whole.replace(target, () => text));
    case "no host":
      return Buffer.from(whole.replace(/Host: .*\r\n/, ""));
    case "host":
      return Buffer.from(whole.replace(/Host: .*\r\n/, () => `Host: ${text}\r\n`));
    case "version":
      return Buffer.from(
        whole.slice(0, lineEnd).replace("HTTP/1.1", `HTTP/${at < 0.5 ? "1.0" : "3.7"}`) + whole.slice(lineEnd),
      );
    case "length":
      return Buffer.from(whole.replace("\r\n", `\r\nContent-Length: ${Math.floor(at * 50)}\r\n`));
    case "chunked":
      return Buffer.from(whole.replace("\r\n", "\r\nTransfer-Encoding: chunked\r\n"));
  }
}

/** Sends it and resolves to what came: the whole answer, or the head and the first event of a stream. */
export function exchange({ method, bytes }: Sent, port: number, timeoutMs: number): Promise<Outcome> {
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  const socket = connect(port, "127.0.0.1");
  const chunks: Buffer[] = [];
  const end = (whatElse: Outcome): void => {
    clearTimeout(timer);
    socket.destroy();
    resolve(chunks.length > 0 ? parse(Buffer.concat(chunks), method) : whatElse);
  };
  const timer = setTimeout(() => end({ kind: "none" }), timeoutMs);
  socket.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    if (isStream(chunks[0] ?? chunk)) end({ kind: "closed" });
  });
  socket.on("error", () => end({ kind: "closed" }));
  socket.on("close", () => end({ kind: "closed" }));
  socket.write(bytes);
  return promise;
}

function isStream(first: Buffer): boolean {
  const head = first.toString("latin1");
  return /\r\ncontent-type: text\/event-stream\r\n/i.test(head) && /\r\ntransfer-encoding: chunked\r\n/i.test(head);
}

function parse(bytes: Buffer, method: string): Outcome {
  const text = bytes.toString("latin1");
  const headEnd = text.indexOf("\r\n\r\n");
  const [statusLine = "", ...lines] = text.slice(0, headEnd).split("\r\n");
  const status = Number(/^HTTP\/1\.1 (\d{3})( |$)/.exec(statusLine)?.[1]);
  if (headEnd < 0 || !(status >= 100)) return { kind: "malformed" };
  // After an interim answer comes the real one.
  if (status < 200) return parse(bytes.subarray(headEnd + 4), method);
  const headers = new Map(
    lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]),
  );
  const rest = bytes.subarray(headEnd + 4);
  if (method === "HEAD" || status === 204 || status === 304) return { kind: "answer", status, headers, body: "" };
  const body = headers.get("transfer-encoding") === "chunked" ? dechunk(rest) : rest;
  const length = headers.get("content-length");
  if (!body || (length !== undefined && body.length < Number(length))) return { kind: "malformed" };
  const own = length === undefined ? body : body.subarray(0, Number(length));
  const plain = headers.get("content-encoding") === "gzip" ? gunzipSync(own) : own;
  return { kind: "answer", status, headers, body: plain.toString() };
}

/** The chunks so far, put together; undefined where one has no length. */
function dechunk(bytes: Buffer): Buffer | undefined {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const lineEnd = bytes.indexOf("\r\n", at);
    const size = Number.parseInt(bytes.toString("latin1", at, lineEnd), 16);
    if (lineEnd < 0 || Number.isNaN(size)) return undefined;
    if (size === 0) break;
    parts.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
  }
  return Buffer.concat(parts);
}
