/**
 * Owns who may use the baristas' port.
 *
 * **Invariants**
 * - Tokens are compared in constant time, and stand in no answer and no log.
 * - The right token passes, whatever came from its address before.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { Attempts } from "../limits/attempts.ts";
import { problem } from "../problem.ts";

/**
 * Makes the check of RFC 6750 bearer tokens: undefined lets the request pass, else 401. Wrong tokens from an address that sent too
 * many get 429 instead; staff behind the same address are none the worse for it.
 */
export function createTokenCheck(
  staffToken: string,
  addressOf: (request: Request) => string,
): (request: Request) => Response | undefined {
  const wanted = digest(staffToken);
  const attempts = new Attempts();
  return (request) => {
    const given = /^Bearer +(\S+) *$/i.exec(request.headers.get("authorization") ?? "")?.[1];
    if (given === undefined) {
      return problem("unauthorized", {
        headers: { "WWW-Authenticate": 'Bearer realm="baristas"' },
      });
    }
    if (timingSafeEqual(digest(given), wanted)) return undefined;
    return refuseGuess(attempts, addressOf(request));
  };
}

function refuseGuess(attempts: Attempts, address: string): Response {
  const blockedMs = attempts.blockedMs(address);
  if (blockedMs > 0) {
    const seconds = String(Math.ceil(blockedMs / 1000));
    return problem("too_many_tokens", {
      detail: `Too many wrong tokens came from your address: send the right one, or try again in ${seconds} s.`,
      headers: { "Retry-After": seconds },
    });
  }
  attempts.noteWrong(address);
  return problem("unauthorized", {
    detail: "This is not the staff token.",
    headers: { "WWW-Authenticate": 'Bearer realm="baristas", error="invalid_token"' },
  });
}

/** Of equal length whatever the token's, so that nothing of it shows in the time a comparison takes. */
function digest(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}

/** Names that no other site can have: addresses, names without a dot, and those that mean this machine everywhere. */
const NEAR_HOST = /^(\[[^\]]*\]|[\d.]+|[^.:]+|[^:]+\.localhost)(:\d+)?$/i;

/**
 * Without a token, the port is open to this machine: also to pages of other sites in its browsers. Browsers tell where a request
 * comes from; what comes from another site is refused. So is what asks by another site's name: it may have been made to mean this
 * machine, and then its pages count as ours (DNS rebinding).
 */
export function refuseOtherSites(request: Request): Response | undefined {
  const { headers } = request;
  const isElsewhere = headers.get("sec-fetch-site") === "cross-site";
  const isNear = NEAR_HOST.test(headers.get("host") ?? "localhost");
  if (isNear && !isElsewhere) return undefined;
  const detail = isNear
    ? "Another site sent this request: open the baristas' page itself."
    : "Without a staff token this port answers to localhost only: use that name, or set STAFF_TOKEN.";
  return problem("cross_site", { detail });
}
