/**
 * Owns one exchange of a barista with the server.
 *
 * **Invariants**
 * - There is no time limit but the caller's signal, and every way it can end is a value, never a rejection.
 */
import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { createFetch } from "./fetch.ts";

const Problem = Type.Object({ detail: Type.String() });

export type Call = {
  readonly method: "GET" | "POST";
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Aborting hangs up. */
  readonly signal: AbortSignal;
};

export type Answer = {
  readonly kind: "answer";
  readonly status: number;
  readonly retryAfterSeconds: number;
  /** The parsed JSON; undefined when it was none. */
  readonly body: unknown;
};

export type Reply = Answer | { readonly kind: "connection lost" } | { readonly kind: "hung up" };

const fetch = createFetch();

/** Sends one request and waits for the whole answer. */
export async function call({ url, ...init }: Call): Promise<Reply> {
  try {
    const response = await fetch(url.href, init);
    return {
      kind: "answer",
      status: response.status,
      retryAfterSeconds: secondsFrom(response.headers.get("retry-after")),
      body: parseJson(await response.text()),
    };
  } catch {
    return { kind: init.signal.aborted ? "hung up" : "connection lost" };
  }
}

/** The answer in a few words, with the `detail` of a problem (RFC 9457) where it has one. */
export function describeAnswer({ status, body }: Answer): string {
  const detail = Value.Check(Problem, body) ? `: ${body.detail.slice(0, 120)}` : "";
  return `answered ${status}${detail}`;
}

/** Retry-After in its form of whole seconds (RFC 9110, 10.2.3), at most an hour; 0 when there is none. */
function secondsFrom(retryAfter: string | null): number {
  return retryAfter && /^\d+$/.test(retryAfter) ? Math.min(Number(retryAfter), 3600) : 0;
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
