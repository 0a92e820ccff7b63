/**
 * `longpour raw`: a request over a plain socket, with the bytes of both ways.
 *
 * **Invariants**
 * - Of what comes only the beginning is kept, and that for `--json` alone.
 * - It ends when the server closes, when the time is over, or with Ctrl-C; the socket ends with it.
 * - Control characters are shown as escapes: nothing that came reaches the terminal as it is.
 */
import { connect } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Command } from "@commander-js/extra-typings";
import { define, numberReader } from "../define.ts";
import { CommandFailed } from "../failure.ts";
import { customersUrlOption, staffUrlOption } from "../server.ts";
import type { Terminal } from "../terminal.ts";

export function addRaw(program: Command, terminal: Terminal): void {
  define(program, "raw", {
    about:
      "Sends a request over a plain socket and shows the bytes of both ways. Each argument is a line of its head; HTTP/1.1, Host, Connection: close and, with --body, Content-Length are added where they are missing.",
    examples: [
      "longpour raw 'GET /livez'",
      `longpour raw 'POST /order/ HTTP/1.1' 'Content-Type: application/json' --body '{"item":"latte"}'`,
      "longpour raw 'GET /queue HTTP/1.1' 'Host: nowhere' --staff --seconds 5",
      String.raw`longpour raw --exact 'GET /livez HTTP/1.0\r\n\r\n'`,
    ],
  })
    .argument("<request...>", "the request line, then header lines")
    .option("--body <text>", "what follows the head")
    .option("--exact", String.raw`send the arguments as they are, nothing added: \r, \n and \xNN spell bytes`)
    .option("--staff", "to the baristas' port: --staff-url")
    .option("--seconds <n>", "end after so long", numberReader({ min: 0.1, max: 3600 }), 30)
    .addOption(customersUrlOption())
    .addOption(staffUrlOption())
    .action(async (lines, { body = "", exact, staff, seconds, url, staffUrl: staffAt, json = false }) => {
      const target = new URL(staff ? staffAt : url);
      const sent = exact ? unescapeBytes(lines.join("") + body) : Buffer.from(complete(lines, body, target));
      const keptBytes = json ? MAX_KEPT_BYTES : 0;
      const show = json ? () => {} : (line: string) => terminal.print(line);
      const exchanged = await exchange(target, sent, { seconds, keptBytes, show, signal: terminal.untilStopped() });
      if (json) terminal.print(JSON.stringify(exchanged));
      else terminal.note(`${ENDED[exchanged.ended]} after ${exchanged.seconds} s`);
    });
}

const MAX_KEPT_BYTES = 4 * 1024 * 1024;

const ENDED = { server: "the server closed", time: "the time was over", interrupted: "stopped" } as const;

interface Exchanged {
  readonly sent: string;
  readonly received: string;
  readonly ended: keyof typeof ENDED;
  readonly seconds: number;
}

interface Exchange {
  readonly seconds: number;
  /** How much of what comes is kept. */
  readonly keptBytes: number;
  readonly show: (line: string) => void;
  readonly signal: AbortSignal;
}

async function exchange(target: URL, sent: Buffer, { seconds, keptBytes, show, signal }: Exchange): Promise<Exchanged> {
  const { hostname, protocol } = target;
  const isTls = protocol === "https:";
  const host = hostname.replace(/^\[|\]$/g, "");
  const port = Number(target.port || (isTls ? 443 : 80));
  const socket = isTls ? connectTls({ host, port, servername: host }) : connect({ host, port });
  const { promise, resolve, reject } = Promise.withResolvers<keyof typeof ENDED>();
  const timer = setTimeout(() => resolve("time"), seconds * 1000);
  const stop = (): void => resolve("interrupted");
  signal.addEventListener("abort", stop);
  const beganMs = performance.now();
  const elapsed = (): string => ((performance.now() - beganMs) / 1000).toFixed(3);
  const received: Buffer[] = [];
  let roomBytes = keptBytes;
  socket.once(isTls ? "secureConnect" : "connect", () => {
    for (const line of linesOf(sent)) show(`${elapsed()} > ${line}`);
    socket.write(sent);
  });
  socket.on("data", (chunk: Buffer) => {
    if (roomBytes > 0) received.push(chunk.subarray(0, roomBytes));
    roomBytes -= chunk.length;
    for (const line of linesOf(chunk)) show(`${elapsed()} < ${line}`);
  });
  socket.on("error", (error) => reject(new CommandFailed(`no exchange with ${target.origin}: ${error.message}`)));
  socket.on("close", () => resolve("server"));
  try {
    const ended = await promise;
    return { sent: sent.toString(), received: Buffer.concat(received).toString(), ended, seconds: Number(elapsed()) };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
    socket.destroy();
  }
}

/** The request with what a server needs of it. */
function complete([first = "", ...headers]: readonly string[], body: string, { host }: URL): string {
  const has = (name: string): boolean => headers.some((line) => line.toLowerCase().startsWith(`${name}:`));
  const all = [
    /\sHTTP\/[\d.]+$/.test(first) ? first : `${first} HTTP/1.1`,
    ...(has("host") ? [] : [`Host: ${host}`]),
    ...(has("connection") ? [] : ["Connection: close"]),
    ...(body === "" || has("content-length") || has("transfer-encoding")
      ? []
      : [`Content-Length: ${Buffer.byteLength(body)}`]),
    ...headers,
  ];
  return `${all.join("\r\n")}\r\n\r\n${body}`;
}

function unescapeBytes(text: string): Buffer {
  const parts = text.split(/(\\r|\\n|\\t|\\\\|\\x[\da-fA-F]{2})/);
  return Buffer.concat(parts.map((part, index) => (index % 2 === 0 ? Buffer.from(part) : bytesOf(part))));
}

const NAMED: Readonly<Record<string, string>> = { "\\r": "\r", "\\n": "\n", "\\t": "\t", "\\\\": "\\" };

function bytesOf(escape: string): Buffer {
  const named = NAMED[escape];
  return named === undefined ? Buffer.of(Number.parseInt(escape.slice(2), 16)) : Buffer.from(named);
}

/** Bytes as lines that end where a line feed is, each control character as an escape. */
function linesOf(bytes: Buffer): string[] {
  const lines = bytes.toString().split(/(?<=\n)/);
  return lines.map((line) => line.replaceAll(/\p{Cc}/gu, escapeOf));
}

const ESCAPES: Readonly<Record<string, string>> = { "\r": String.raw`\r`, "\n": String.raw`\n`, "\t": String.raw`\t` };

function escapeOf(character: string): string {
  return ESCAPES[character] ?? String.raw`\x` + character.charCodeAt(0).toString(16).padStart(2, "0");
}
