/**
 * Owns which pages in browsers may use a port, by what browsers say of them: Sec-Fetch-Site, and Origin where that is
 * absent, as from older browsers and over plain HTTP. Programs say nothing of a page, and are not asked.
 *
 * **Invariants**
 * - A page of this server's own origin, or its reader, is not another site.
 * - A page of another port of the same host is another site.
 * - An origin that is named as allowed may write, and read the answers (CORS).
 * - All other origins may do neither.
 */
import { problem } from "../problem.ts";
import type { Check } from "./edge.ts";

const SAFE_METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

/** Whether a browser sent this for a page of another origin. */
export function isFromOtherSite({ headers }: Request): boolean {
  const site = headers.get("sec-fetch-site");
  if (site !== null) return site !== "same-origin" && site !== "none";
  const origin = headers.get("origin");
  if (origin === null) return false;
  const host = headers.get("host");
  // Where TLS ends at a proxy, the page's scheme is another than ours.
  return origin !== `http://${host}` && origin !== `https://${host}`;
}

/** Makes the check that refuses what other sites' pages send to change something, but those of the allowed origins. */
export function createSiteCheck(allowed: ReadonlySet<string>): Check {
  return (request) => {
    if (SAFE_METHODS.has(request.method) || !isFromOtherSite(request)) return undefined;
    if (allowed.has(request.headers.get("origin") ?? "")) return undefined;
    return problem("cross_site", {
      detail:
        "A page of another site sent this request: name that site's origin in ALLOWED_ORIGINS, or use the server's own page.",
    });
  };
}

/** The CORS protocol of the Fetch standard: it lets pages of allowed origins use this server. */
export interface Sharing {
  /** Answers the question that a browser asks before an allowed origin's request. */
  readonly answerPreflight: Check;
  /** Lets the page read the answer, if its origin is allowed. */
  readonly share: (request: Request, answer: Response) => void;
}

const METHODS = "GET, HEAD, POST, PUT, PATCH";
const REQUEST_HEADERS = "Content-Type, Idempotency-Key, Last-Event-ID, Prefer, Traceparent";
const ANSWER_HEADERS = "ETag, Location, Preference-Applied, RateLimit, RateLimit-Policy, Retry-After";
const PREFLIGHT_SECONDS = 600;

/** Makes the sharing with these origins. No credentials are shared: this server knows no cookies. */
export function createSharing(allowed: ReadonlySet<string>): Sharing {
  const allowedOrigin = ({ headers }: Request): string | undefined => {
    const origin = headers.get("origin");
    return origin !== null && allowed.has(origin) ? origin : undefined;
  };
  return {
    answerPreflight: (request) => {
      const origin = allowedOrigin(request);
      const isPreflight = request.method === "OPTIONS" && request.headers.has("access-control-request-method");
      if (origin === undefined || !isPreflight) return undefined;
      const headers = {
        "Access-Control-Allow-Methods": METHODS,
        "Access-Control-Allow-Headers": REQUEST_HEADERS,
        "Access-Control-Max-Age": String(PREFLIGHT_SECONDS),
      };
      return new Response(null, { status: 204, headers });
    },
    share: (request, { headers }) => {
      // Also where nothing is shared: a cache must not give one origin's answer to another.
      headers.append("Vary", "Origin");
      const origin = allowedOrigin(request);
      if (origin === undefined) return;
      headers.set("Access-Control-Allow-Origin", origin);
      headers.set("Access-Control-Expose-Headers", ANSWER_HEADERS);
    },
  };
}
