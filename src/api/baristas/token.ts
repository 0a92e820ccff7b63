/**
 * Owns who may use the baristas' port.
 *
 * **Invariants**
 * - Tokens are compared in constant time, and stand in no answer and no log.
 * - The right token passes, whatever came from its address before.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { Check } from "../../http/edge.ts";
import { isFromOtherSite } from "../../http/sites.ts";
import { WrongGuesses } from "../../limits/wrong-guesses.ts";
import { problem } from "../../problem.ts";
import { remember } from "../../remember.ts";

/**
 * Makes checks of RFC 6750 bearer tokens, each for one of these: undefined lets the request pass, else 401. Wrong
 * tokens from an address that sent too many, to whichever check, get 429 instead; staff behind the same address are
 * none the worse for it.
 */
export function createTokenChecks(addressOf: (request: Request) => string): (admitted: Admitted) => Check {
  const wrongGuesses = new WrongGuesses();
  return (admitted) =>
    createTokenCheck(admitted, (request) => rejectGuess(wrongGuesses, addressOf(request), admitted.words));
}

interface Admitted {
  readonly tokens: readonly string[];
  /** What they are, after "this is not" and "with". */
  readonly words: string;
}

function createTokenCheck({ tokens, words }: Admitted, reject: (request: Request) => Response): Check {
  const wanted = tokens.map(digest);
  return (request) => {
    const given = /^Bearer +(\S+) *$/i.exec(request.headers.get("authorization") ?? "")?.[1];
    if (given === undefined) {
      return problem("unauthorized", {
        detail: `Send Authorization: Bearer with ${words}.`,
        headers: { "WWW-Authenticate": 'Bearer realm="baristas"' },
      });
    }
    const offered = digest(given);
    return wanted.some((each) => timingSafeEqual(offered, each)) ? undefined : reject(request);
  };
}

function rejectGuess(wrongGuesses: WrongGuesses, address: string, words: string): Response {
  const blockedMs = wrongGuesses.blockedMs(address);
  if (blockedMs > 0) {
    const seconds = String(Math.ceil(blockedMs / 1000));
    return problem("too_many_tokens", {
      detail: `Too many wrong tokens came from your address: send the right one, or try again in ${seconds} s.`,
      headers: { "Retry-After": seconds },
    });
  }
  wrongGuesses.note(address);
  return problem("unauthorized", {
    detail: `This is not ${words}.`,
    headers: { "WWW-Authenticate": 'Bearer realm="baristas", error="invalid_token"' },
  });
}

/** Of equal length whatever the token's, so that nothing of it shows in the time a comparison takes. */
function digest(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}

/** Names that mean this machine alone, in every browser. */
const LOOPBACK_HOST = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i;
const MAX_HOSTS = 1000;

/**
 * Makes the check for a port that asks for clients' certificates, and no token. Browsers show a certificate for
 * whatever page sends a request, so pages of other sites are refused. A name that was made to mean this machine is
 * none of the server's certificate.
 */
export function createPageRefusal(): Check {
  return (request) => (isFromOtherSite(request) ? problem("cross_site") : undefined);
}

/**
 * Makes the check for a port without a token, which is open to this machine: also to pages of other sites in its
 * browsers. A request of such a page is refused. So is a request under another name than this machine's: that name may
 * have been made to mean this machine, and then the pages under it count as ours (DNS rebinding); and browsers take
 * 0.0.0.0 and mapped addresses for sites of their own.
 */
export function createSiteRefusal(): Check {
  const isLoopback = remember((host) => LOOPBACK_HOST.test(host), MAX_HOSTS);
  return (request) => {
    if (!isLoopback(request.headers.get("host") ?? "")) {
      const detail =
        "Without a staff token this port answers to localhost, 127.0.0.1 and [::1] only: use one of these, or set STAFF_TOKEN.";
      return problem("cross_site", { detail });
    }
    return isFromOtherSite(request) ? problem("cross_site") : undefined;
  };
}
