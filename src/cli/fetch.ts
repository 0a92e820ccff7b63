/**
 * Owns how simulators speak HTTP: a `fetch` on node:http and node:https, a socket a request.
 *
 * **Invariants**
 * - There is no time limit but the caller's signal.
 * - An answer that breaks off is an error, never a short body.
 *
 * It is node:http because Bun's fetch runs 256 requests at once unless the environment says otherwise, and can't choose
 * the local address. Sockets are bounded by this process's open files and, from one address, by its ephemeral ports.
 */
import { Agent, request, type IncomingMessage } from "node:http";
import { Agent as SecureAgent, request as requestSecurely } from "node:https";
import { Readable } from "node:stream";
import type { ClientCertificate } from "./certificate.ts";
import type { Fetch } from "../client/ask.ts";

/** As many as browsers follow. */
const MAX_HOPS = 20;

const agent = new Agent({ maxSockets: Infinity, keepAlive: false });
const secureAgent = new SecureAgent({ maxSockets: Infinity, keepAlive: false });

interface FetchOptions {
  /** The address of this machine to call from. */
  readonly localAddress?: string | undefined;
  /** Shown to a server that asks for one. */
  readonly certificate?: ClientCertificate | undefined;
}

/** Makes a fetch that takes bodies of text, and follows 303. */
export function createFetch(own: FetchOptions = {}): Fetch {
  return async (url, init) => {
    let target = url;
    let hopInit = init;
    for (let hop = 0; hop <= MAX_HOPS; hop++) {
      const answer = await send(target, hopInit, own);
      const { location } = answer.headers;
      if (answer.statusCode !== 303 || location === undefined) return responseFrom(answer);
      answer.resume();
      target = new URL(location, target).href;
      hopInit = { signal: init.signal ?? null };
    }
    throw new TypeError(`more than ${MAX_HOPS} redirects`);
  };
}

function send(url: string, init: RequestInit, { localAddress, certificate }: FetchOptions): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const isSecure = url.startsWith("https:");
  const options = {
    agent: isSecure ? secureAgent : agent,
    method: init.method ?? "GET",
    headers: Object.fromEntries(new Headers(init.headers)),
    ...(init.signal ? { signal: init.signal } : {}),
    ...(localAddress ? { localAddress } : {}),
    ...(isSecure ? certificate : {}),
  };
  (isSecure ? requestSecurely : request)(url, options, resolve).on("error", reject).end(init.body);
  return promise;
}

function responseFrom(answer: IncomingMessage): Response {
  const headers = Object.entries(answer.headersDistinct).map(([name, values = []]): [string, string] => [
    name,
    values.join(", "),
  ]);
  const status = answer.statusCode ?? 0;
  const hasBody = ![204, 205, 304].includes(status);
  if (!hasBody) answer.resume();
  return new Response(hasBody ? (Readable.toWeb(answer) as ReadableStream<Uint8Array>) : null, { status, headers });
}
