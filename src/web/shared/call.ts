/**
 * Owns how a page calls its server.
 *
 * **Invariants**
 * - Every call answers with a value: done, refused with a problem, or `unreachable` (no answer, or one of no use).
 * - None throws.
 */
import { completeProblem, readProblem, type Problem } from "../../client/problem.ts";
import type { BackOff } from "../../client/retry.ts";
import { readRetryAfterMs } from "../../retry-after.ts";
import type { ShopClock } from "./clock.ts";

export type Answer<Value> =
  | { readonly kind: "done"; readonly value: Value }
  | { readonly kind: "refused"; readonly problem: Problem; readonly retryAfterMs?: number }
  | { readonly kind: "unreachable" };

/** Why there was no response. */
export type NoResponse = "unreachable" | "locked";

/** Sends a request; does not throw. */
export type Send<No extends NoResponse> = (path: string, init: RequestInit) => Promise<Response | No>;

/** Between two tries of whatever a page tries again. */
export const PAGE_BACK_OFF: BackOff = { firstMs: 1000, maxMs: 12_000 };

/** A server waits up to half a minute for its storage before it gives up; then there is nothing to wait for. */
const CALL_TIMEOUT_MS = 35_000;

export interface SendOptions {
  /** Learns the shop's time from each response. */
  readonly clock: Pick<ShopClock, "learn">;
  readonly fetch?: ((path: string, init: RequestInit) => Promise<Response>) | undefined;
}

/** Makes what all calls of a page are sent with. */
export function createSend({ clock, fetch = globalThis.fetch }: SendOptions): Send<"unreachable"> {
  return async (path, init) => {
    try {
      const response = await fetch(path, { ...init, cache: "no-store" });
      clock.learn(response.headers.get("date"));
      return response;
    } catch {
      // No connection, or none in time.
      return "unreachable";
    }
  };
}

export interface Call {
  readonly method?: "POST" | "PUT" | "PATCH";
  readonly json?: object;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Calls a route that answers with JSON. */
export async function call<Value, No extends NoResponse>(
  send: Send<No>,
  path: string,
  { method, json, headers }: Call = {},
): Promise<Answer<Value> | { readonly kind: No }> {
  const response = await send(path, {
    method: method ?? "GET",
    headers: { ...headers, ...(json ? { "Content-Type": "application/json" } : undefined) },
    body: json ? JSON.stringify(json) : null,
    signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
  });
  if (!(response instanceof Response)) return { kind: response };
  const body = await readJson(response);
  if (body === undefined) return { kind: "unreachable" };
  if (response.ok) return { kind: "done", value: body as Value };
  const problem = readWholeProblem(body);
  return problem
    ? { kind: "refused", problem, retryAfterMs: readRetryAfterMs(response.headers) }
    : { kind: "unreachable" };
}

/** The problem of a response; undefined for a body that is none, as a proxy's page. */
export async function readResponseProblem(response: Response): Promise<Problem | undefined> {
  return readWholeProblem(await readJson(response));
}

function readWholeProblem(body: unknown): Problem | undefined {
  const { status, type, ...rest } = readProblem(body);
  return status === undefined || type === undefined ? undefined : completeProblem({ ...rest, status, type });
}

/** Undefined for a body that is no JSON, or that broke off. */
async function readJson(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch {
    return undefined;
  }
}
