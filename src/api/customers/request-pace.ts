/**
 * Owns how fast an address may send requests of any kind to the customers' port.
 *
 * **Invariants**
 * - A request of an address that is known to be too fast costs Redis nothing.
 * - Such a request is rejected late, so that sending it again at once is no use.
 * - Probes are never rejected, only answered late.
 */
import type { Pace } from "../../limits/pace.ts";
import type { RejectionLog } from "../../limits/rejection-log.ts";
import { Tarpit } from "../../limits/tarpit.ts";
import { problem } from "../../problem.ts";

/** Returns a request's address, as limits count it. */
export type ClientOf = (request: Request) => string;

/** The same as `find`, and free for the request that was last asked about: the limits and its route both ask. */
export function rememberLast(find: ClientOf): ClientOf {
  let last: Request | undefined;
  let address = "";
  return (request) => {
    if (last !== request) {
      address = find(request);
      last = request;
    }
    return address;
  };
}

export interface PaceDependencies {
  /** How fast an address may send requests of any kind. */
  readonly pace: Pace;
  readonly rejectionLog: Pick<RejectionLog, "count">;
}

/** `/livez` and `/readyz`, whole or as a path alone. */
const PROBE = /^(?:https?:\/\/[^/]*)?\/(?:livez|readyz)\/?(?:\?|$)/;

/** Makes what is asked before each request, and before each probe. */
export function keepPace({ pace, rejectionLog }: PaceDependencies, clientOf: ClientOf) {
  const tarpit = new Tarpit();
  const refuse = async (waitMs: number): Promise<Response> => {
    await tarpit.wait();
    return tooManyRequests(waitMs);
  };
  return {
    /** The rejection, where the address is too fast. */
    slowDown: (request: Request): Promise<Response> | undefined => {
      const address = clientOf(request);
      const waitMs = pace.take(address);
      if (waitMs === 0 || PROBE.test(request.url)) return undefined;
      rejectionLog.count("too_many_requests", address);
      return refuse(waitMs);
    },
    /** Waits, where the address is too fast. */
    beforeProbe: (request: Request): Promise<void> | undefined =>
      pace.isUsedUp(clientOf(request)) ? tarpit.wait() : undefined,
  };
}

function tooManyRequests(waitMs: number): Response {
  const seconds = Math.max(1, Math.ceil(waitMs / 1000));
  const detail = `Your address sends requests too fast: try again in ${seconds} s.`;
  return problem("too_many_requests", { detail, headers: { "Retry-After": String(seconds) } });
}
