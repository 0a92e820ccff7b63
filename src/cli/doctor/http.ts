/**
 * Owns the doctor's short requests. (A held one is held.ts' part.)
 *
 * **Invariants**
 * - Each ends within a bound.
 * - No redirect is followed: where a request went is a finding.
 */
import type { ClientCertificate } from "../certificate.ts";

const ANSWER_TIMEOUT_MS = 10_000;

export interface Asking {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly json?: unknown;
  readonly certificate?: ClientCertificate | undefined;
  /** Ends it sooner. */
  readonly signal?: AbortSignal;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Until its head was there. */
  readonly tookMs: number;
}

/** One request and its whole answer. Throws where there is none. */
export async function ask(url: string, asking: Asking = {}): Promise<Answer> {
  const { method = "GET", headers = {}, json, signal, certificate } = asking;
  const bound = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
  const begunMs = performance.now();
  const answer = await fetch(url, {
    method,
    headers: json === undefined ? headers : { "Content-Type": "application/json", ...headers },
    ...(json === undefined ? undefined : { body: JSON.stringify(json) }),
    ...(certificate ? { tls: certificate } : undefined),
    redirect: "manual",
    signal: signal ? AbortSignal.any([signal, bound]) : bound,
  });
  const tookMs = performance.now() - begunMs;
  return { status: answer.status, headers: answer.headers, text: await answer.text(), tookMs };
}

/** A body's member; undefined where it is no JSON object, or has none. */
export function member(text: string, name: string): unknown {
  try {
    const body: unknown = JSON.parse(text);
    return typeof body === "object" && body !== null ? (body as Record<string, unknown>)[name] : undefined;
  } catch {
    return undefined;
  }
}

/** A refusal in a line: `503 The shop is closed: come back when it opens.` */
export function described({ status, text }: Pick<Answer, "status" | "text">): string {
  const detail = member(text, "detail");
  return typeof detail === "string" ? `${status}: ${detail.slice(0, 200)}` : String(status);
}

/** Whether the server itself says it, and no proxy before it. */
export function isProblem(headers: Headers): boolean {
  return headers.get("content-type")?.startsWith("application/problem+json") ?? false;
}
