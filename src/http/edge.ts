/**
 * Owns what is refused before a route is looked for: a request that does not say plainly where it goes.
 *
 * **Invariants**
 * - Behind the edge, a request's URL is its own Host and one path: all who read it read the same.
 * - Without a Host only `/livez` and `/readyz` answer, spelled exactly so: HTTP/1.0 probes send none.
 * - The hosts remembered are bounded.
 */
import { problem } from "../problem.ts";

const MOST_HOSTS = 1000;
const HOST = /^([\w.-]+|\[[\da-f:.]+\])(:\d{1,5})?$/i;

/** Answers, or undefined: the request may go on. */
export type Check = (request: Request) => Response | undefined;

/**
 * Makes the check of a request's target and Host. Bun builds a request's URL from both, and leaves the host out where Host is
 * missing or no host; it never lets a `#` begin a fragment. Of an absolute target it takes the path alone, and the host from Host.
 */
export function createTargetCheck(): Check {
  const startOf = rememberStarts();
  return (request) => {
    const { url, method } = request;
    const host = request.headers.get("host");
    if (host === null && (url === "/livez" || url === "/readyz") && (method === "GET" || method === "HEAD")) return;
    const start = host === null ? undefined : startOf(host);
    if (start === undefined || !url.startsWith(start)) return problem("malformed_host");
    return url.includes("#") ? problem("malformed_target") : undefined;
  };
}

/** Makes the function that knows how the URLs of a Host begin: `http://host:port/`; undefined for what is no host. */
function rememberStarts(): (host: string) => string | undefined {
  const starts = new Map<string, string | undefined>();
  return (host) => {
    if (starts.has(host)) return starts.get(host);
    // Real shops have few names: only a flood of made-up ones comes here.
    if (starts.size >= MOST_HOSTS) starts.clear();
    const parsed = HOST.test(host) ? URL.parse(`http://${host}/`) : null;
    const start = parsed?.href;
    starts.set(host, start);
    return start;
  };
}
