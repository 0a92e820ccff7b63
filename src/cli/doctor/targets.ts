/**
 * Owns what the doctor is given: where the parts of a shop are, and what its servers are set to.
 *
 * **Invariants**
 * - What is absent is not looked at, and its checks say so.
 */
import type { ClientCertificate } from "../certificate.ts";
import type { RedisServer } from "../../redis-url.ts";

export interface Targets {
  /** The customers' port, maybe through a proxy: an origin. */
  readonly url: string | undefined;
  /** The baristas' port. */
  readonly staffUrl: string | undefined;
  /** Empty: none. */
  readonly token: string;
  /** Shown to a server that asks for one. */
  readonly certificate?: ClientCertificate | undefined;
  readonly redis: RedisServer | undefined;
  readonly shop: string;
  /** LANES, MAX_HELD: what the servers are set to. */
  readonly lanes: number;
  readonly maxHeld: number;
  /** How many servers share the shop. */
  readonly servers: number;
  /** How long a request is held at most. */
  readonly maxSeconds: number;
  /** Aborted when the doctor is to stop. */
  readonly signal: AbortSignal;
}
