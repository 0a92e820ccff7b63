/** Owns who may use the baristas' port. Always holds: tokens are compared in constant time, and never told. */
import { createHash, timingSafeEqual } from "node:crypto";
import { pathOf } from "../http/app.ts";
import { problem } from "../problem.ts";

/** Probes and the API's description tell nothing of the shop. */
const OPEN = /^\/(livez|readyz|swagger(\/[^/]+)?)\/?$/;

/** Makes the check of RFC 6750 bearer tokens: undefined lets the request pass, else 401. */
export function createTokenCheck(staffToken: string): (request: Request) => Response | undefined {
  const wanted = digest(staffToken);
  return (request) => {
    if (OPEN.test(pathOf(request))) return undefined;
    const given = /^Bearer +(\S+) *$/i.exec(request.headers.get("authorization") ?? "")?.[1];
    if (given === undefined) {
      return problem("unauthorized", "Send Authorization: Bearer with the staff token.", {
        headers: { "WWW-Authenticate": 'Bearer realm="baristas"' },
      });
    }
    if (timingSafeEqual(digest(given), wanted)) return undefined;
    return problem("unauthorized", "This is not the staff token.", {
      headers: { "WWW-Authenticate": 'Bearer realm="baristas", error="invalid_token"' },
    });
  };
}

/** Of equal length whatever the token's, so that nothing of it shows in the time a comparison takes. */
function digest(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
