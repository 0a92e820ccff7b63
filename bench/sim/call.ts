/**
 * Owns one HTTP exchange of a simulator, on a socket of its own.
 * Always holds: there is no time limit but the caller's signal, and every way it can end is a value, never a rejection.
 *
 * It is node:http because Bun's fetch runs 256 requests at once unless the environment says otherwise, and can't choose
 * the local address. Sockets are bounded by this process's open files and, from one address, by its ephemeral ports.
 */
import { Agent, request, type IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";

const Problem = Type.Object({ detail: Type.String() });

export type Call = {
  readonly method: "GET" | "POST";
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  /** The address of this machine to call from. */
  readonly localAddress?: string | undefined;
  /** Aborting hangs up. */
  readonly signal: AbortSignal;
};

export type Answer = {
  readonly kind: "answer";
  readonly status: number;
  readonly location: string | undefined;
  readonly retryAfterSeconds: number;
  /** The parsed JSON; undefined when it was none. */
  readonly body: unknown;
};

export type Reply = Answer | { readonly kind: "connection lost" } | { readonly kind: "hung up" };

const agent = new Agent({ maxSockets: Infinity, keepAlive: false });

/** Sends one request and waits for the whole answer. */
export function call({ method, url, headers, json, localAddress, signal }: Call): Promise<Reply> {
  if (signal.aborted) return Promise.resolve({ kind: "hung up" });
  return new Promise((resolve) => {
    const fail = () => resolve({ kind: signal.aborted ? "hung up" : "connection lost" });
    const content = json === undefined ? {} : { "content-type": "application/json" };
    const options = {
      method,
      agent,
      headers: { ...headers, ...content },
      signal,
      ...(localAddress ? { localAddress } : {}),
    };
    const sent = request(url, options, (response) => {
      text(response).then((body) => resolve(answerFrom(response, body)), fail);
    });
    sent.on("error", fail);
    sent.end(json === undefined ? undefined : JSON.stringify(json));
  });
}

/** The answer in a few words, with the `detail` of a problem (RFC 9457) where it has one. */
export function describeAnswer({ status, body }: Answer): string {
  const detail = Value.Check(Problem, body) ? `: ${body.detail.slice(0, 120)}` : "";
  return `answered ${status}${detail}`;
}

function answerFrom(response: IncomingMessage, body: string): Answer {
  const { location, "retry-after": retryAfter } = response.headers;
  return {
    kind: "answer",
    status: response.statusCode ?? 0,
    location,
    retryAfterSeconds: secondsFrom(retryAfter),
    body: parseJson(body),
  };
}

/** Retry-After in its form of whole seconds (RFC 9110, 10.2.3), at most an hour; 0 when there is none. */
function secondsFrom(retryAfter: string | undefined): number {
  return retryAfter && /^\d+$/.test(retryAfter) ? Math.min(Number(retryAfter), 3600) : 0;
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
