/**
 * Owns the rate limit: a token bucket an address, in Redis, shared by all replicas.
 *
 * **Invariants**
 * - An address known to be out of tokens is rejected from this process's memory until its retry time.
 * - So a flood costs Redis nothing.
 * - That memory is bounded.
 */
import type { RejectionLog } from "./rejection-log.ts";

export interface LimiterSettings {
  /** Name of the policy, in the key and in the RateLimit headers. */
  readonly policy: string;
  readonly capacity: number;
  readonly refillPerSecond: number;
}

/** The limiter's decision on one request. */
export interface Verdict {
  readonly allowed: boolean;
  /** Whole tokens left. */
  readonly remaining: number;
  /** Until there is a token; 0 while there is one. */
  readonly retryAfterMs: number;
  /** Until the bucket is full. */
  readonly resetAfterMs: number;
}

/** Most addresses remembered as denied; the one remembered longest goes first. */
const MAX_DENIED = 10_000;
/** Requests with an Idempotency-Key that may ask Redis all the same, an address and denial: they may be paid for. */
const MAX_KEYS_QUERIED = 10;

/** How long the others wait for the answer of the one that asks. */
const PROBE_MS = 1000;

interface Denial {
  retryAt: number;
  readonly resetAt: number;
  keysQueried: number;
}

export class Limiter {
  readonly #settings: LimiterSettings;
  readonly #policyHeader: string;
  /** When each denied address may ask again, by `performance.now()`, and when its bucket is full. */
  readonly #denied = new Map<string, Denial>();
  readonly #rejectionLog: Pick<RejectionLog, "count">;

  constructor(settings: LimiterSettings, rejectionLog: Pick<RejectionLog, "count">) {
    this.#settings = settings;
    const { policy, capacity, refillPerSecond } = settings;
    this.#policyHeader = `"${policy}";q=${capacity};w=${Math.ceil(capacity / refillPerSecond)}`;
    this.#rejectionLog = rejectionLog;
  }

  /**
   * The rejection of an address known to be out of tokens; undefined when Redis has to be asked. It makes no call. Some
   * requests that bring a key are let through, so that a flood does not keep its neighbours from coming back for their
   * coffee.
   */
  recall(address: string, hasKey = false): Verdict | undefined {
    const denied = this.#denied.get(address);
    if (!denied) return undefined;
    const now = performance.now();
    if (now >= denied.retryAt) {
      // One asks for all the others: its answer ends the denial, or renews it.
      denied.retryAt = now + PROBE_MS;
      denied.keysQueried = 0;
      return undefined;
    }
    if (denied.keysQueried < MAX_KEYS_QUERIED && hasKey) {
      denied.keysQueried += 1;
      return undefined;
    }
    this.#rejectionLog.count("too_many_orders", address);
    return { allowed: false, remaining: 0, retryAfterMs: denied.retryAt - now, resetAfterMs: denied.resetAt - now };
  }

  /** The address's bucket in Redis: an order that gets in takes a token of it. */
  bucketOf(address: string): string {
    return `${this.#settings.policy}:${address}`;
  }

  /** Notes what Redis said of the address's bucket. */
  note(address: string, allowed: boolean, tokens: Omit<Verdict, "allowed">): Verdict {
    const { remaining, retryAfterMs, resetAfterMs } = tokens;
    const verdict = { allowed, remaining, retryAfterMs, resetAfterMs };
    // An address that took its last token need not ask for the next one before it is there.
    if (verdict.retryAfterMs > 0) this.#remember(address, verdict);
    else this.#denied.delete(address);
    if (!verdict.allowed) this.#rejectionLog.count("too_many_orders", address);
    return verdict;
  }

  /** `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers), and `Retry-After` for a rejection. */
  headers({ allowed, remaining, retryAfterMs, resetAfterMs }: Verdict): Record<string, string> {
    const seconds = Math.ceil((remaining > 0 ? resetAfterMs : retryAfterMs) / 1000);
    const headers: Record<string, string> = {
      "RateLimit-Policy": this.#policyHeader,
      RateLimit: `"${this.#settings.policy}";r=${remaining};t=${seconds}`,
    };
    if (!allowed) headers["Retry-After"] = String(Math.max(1, Math.ceil(retryAfterMs / 1000)));
    return headers;
  }

  #remember(address: string, { retryAfterMs, resetAfterMs }: Verdict): void {
    const now = performance.now();
    // The same denial, as long as it lasts: what keys may ask does not begin anew.
    const keysQueried = this.#denied.get(address)?.keysQueried ?? 0;
    this.#denied.delete(address);
    this.#denied.set(address, { retryAt: now + retryAfterMs, resetAt: now + resetAfterMs, keysQueried });
    const oldest = this.#denied.size > MAX_DENIED ? this.#denied.keys().next().value : undefined;
    if (oldest !== undefined) this.#denied.delete(oldest);
  }
}
