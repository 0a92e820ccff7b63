/**
 * Owns what is refused before a route is looked for: a request that does not say plainly where it goes.
 *
 * **Invariants**
 * - Behind the edge, a request's URL is its own Host and one path: all who read it read the same.
 * - Behind HTTPS a Host has three characters or more.
 * - Without a Host only `/livez` and `/readyz` answer, spelled exactly so: HTTP/1.0 probes send none.
 * - The hosts remembered are bounded.
 */
import { problem } from "../problem.ts";
import { remember } from "../remember.ts";

const MAX_HOSTS = 1000;
/** Of a URL before its path: with fewer behind https, a router would look for the path too late. */
const MIN_SECURE_START = "https://abc/".length;
const HOST = /^([\w.-]+|\[[\da-f:.]+\])(:\d{1,5})?$/i;

/** Answers, or undefined: the request may go on. */
export type Check = (request: Request) => Response | undefined;

/**
 * Makes the check of a request's target and Host. Bun builds a request's URL from both, and leaves the host out where
 * Host is missing or no host; it never lets a `#` begin a fragment. Of an absolute target it takes the path alone, and
 * the host from Host.
 */
export function createTargetCheck(protocol: "http" | "https"): Check {
  const startOf = remember((host) => startOfUrls(protocol, host), MAX_HOSTS);
  return (request) => {
    const { url, method } = request;
    const host = request.headers.get("host");
    if (host === null && (url === "/livez" || url === "/readyz") && (method === "GET" || method === "HEAD")) return;
    const start = host === null ? undefined : startOf(host);
    if (start === undefined || !url.startsWith(start)) return problem("malformed_host");
    return url.includes("#") ? problem("malformed_target") : undefined;
  };
}

/** How the URLs of a Host begin, `http://host:port/`; undefined for what is no host. */
function startOfUrls(protocol: string, host: string): string | undefined {
  const start = HOST.test(host) ? URL.parse(`${protocol}://${host}/`)?.href : undefined;
  const isRoutable = start !== undefined && (protocol === "http" || start.length >= MIN_SECURE_START);
  return isRoutable ? start : undefined;
}
