/**
 * Owns Stripe's library: when it is loaded, where it sends its requests, and what it may read.
 *
 * **Invariants**
 * - It is loaded when it is first needed: a server without cards starts as fast as before.
 * - One request a call: the library's own retries are off, the one after a closed connection too.
 * - What it reads is a JSON object of bounded length: it would end the process over any other JSON.
 */
import type Stripe from "stripe";

/** How long one call may take. */
export const CALL_TIMEOUT_MS = 10_000;
/** Characters. An intent has about 3,000. */
const MAX_ANSWER_LENGTH = 1_000_000;

export interface StripeAccount {
  readonly secretKey: string;
  /** Where its API is. The path does not count. */
  readonly apiUrl: string;
}

/** What the library is used for. */
export interface StripeLibrary {
  readonly stripe: Stripe;
  readonly StripeError: typeof Stripe.errors.StripeError;
}

/** The library for one account; it is loaded by the first call. */
export function lazyStripe({ secretKey, apiUrl }: StripeAccount): () => Promise<StripeLibrary> {
  let loaded: Promise<StripeLibrary> | undefined;
  const load = async (): Promise<StripeLibrary> => {
    const { default: Library } = await import("stripe");
    const { protocol, hostname, port } = new URL(apiUrl);
    const isPlain = protocol === "http:";
    const stripe = new Library(secretKey, {
      httpClient: Library.createFetchHttpClient(Object.assign(fetchOnce, { preconnect: fetch.preconnect })),
      maxNetworkRetries: 0,
      timeout: CALL_TIMEOUT_MS,
      telemetry: false,
      host: hostname,
      port: port || (isPlain ? 80 : 443),
      protocol: isPlain ? "http" : "https",
    });
    return { stripe, StripeError: Library.errors.StripeError };
  };
  return () => {
    loaded ??= load();
    return loaded;
  };
}

/** Its own errors have no `code`, by which the library would ask a second time. */
class NoAnswer extends Error {
  override readonly name = "NoAnswer";
}

async function fetchOnce(url: string | URL | Request, init?: RequestInit): Promise<Response> {
  const answer = await readAnswer(url, init).catch((cause: unknown) => {
    // The library knows its own time limit by this name.
    if (init?.signal?.aborted) throw Object.assign(new NoAnswer("timeout"), { name: "AbortError" });
    throw cause instanceof NoAnswer ? cause : new NoAnswer("no answer");
  });
  return answer;
}

async function readAnswer(url: string | URL | Request, init?: RequestInit): Promise<Response> {
  // A redirect would carry the key elsewhere.
  const response = await fetch(url, { ...init, redirect: "manual" });
  const text = await readBounded(response);
  if (!isJsonObject(text)) throw new NoAnswer("garbage");
  return new Response(text, { status: response.status, headers: response.headers });
}

async function readBounded({ body }: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  if (!body) return text;
  for await (const chunk of body as ReadableStream<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > MAX_ANSWER_LENGTH) throw new NoAnswer("garbage");
  }
  return text;
}

function isJsonObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}
