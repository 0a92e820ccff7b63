/**
 * Owns whether Redis serves, as far as this server knows, and the log lines about it.
 *
 * **Invariants**
 * - An outage is logged once when it begins and once, with its length, when it ends.
 * - A denial by Redis is logged once, until all of it is allowed again.
 */
import type { Log } from "../log.ts";
import { UNAVAILABLE, type UnavailableCode } from "./errors.ts";

/** `lost`: no connection. `silent`: it does not answer on one. `unavailable`: it answers that it can't serve. */
export type OutageCause =
  | { readonly kind: "lost" | "silent" }
  | { readonly kind: "unavailable"; readonly code: UnavailableCode; readonly said: string };

export class Outage {
  readonly #log: Log;
  #sinceMs: number | undefined;
  #count = 0;
  #pastMs = 0;
  readonly #denied = new Set<string>();

  constructor(log: Log) {
    this.#log = log;
  }

  get isOn(): boolean {
    return this.#sinceMs !== undefined;
  }

  /** How many there were, the one under way included. */
  get count(): number {
    return this.#count;
  }

  /** How long all of them took so far. */
  get seconds(): number {
    return (this.#pastMs + this.#currentMs()) / 1000;
  }

  /** Whether anything is denied. */
  get hasDenials(): boolean {
    return this.#denied.size > 0;
  }

  /** `sinceMs` (of `performance.now()`): when it began, where that was noticed later. */
  begin(cause: OutageCause, sinceMs = performance.now()): void {
    if (this.#sinceMs !== undefined) return;
    this.#sinceMs = sinceMs;
    this.#count += 1;
    const said = cause.kind === "unavailable" ? { said: cause.said } : {};
    this.#log.warn(said, `Redis is away${explain(cause)}: customers keep waiting`);
  }

  end(): void {
    if (this.#sinceMs === undefined) return;
    const lastedMs = this.#currentMs();
    this.#log.info({ outage_seconds: Math.round(lastedMs) / 1000 }, "Redis is back");
    this.#pastMs += lastedMs;
    this.#sinceMs = undefined;
  }

  isDenied(script: string): boolean {
    return this.#denied.has(script);
  }

  deny(script: string, said: string): void {
    if (!this.hasDenials) {
      this.#log.error({ script, said }, "Redis denies what the server needs: give its user the rights in .env.example");
    }
    this.#denied.add(script);
  }

  allowAll(): void {
    this.#denied.clear();
    this.#log.info("Redis allows again what the server needs");
  }

  #currentMs(): number {
    return this.#sinceMs === undefined ? 0 : performance.now() - this.#sinceMs;
  }
}

function explain(cause: OutageCause): string {
  if (cause.kind === "unavailable") return ` (${cause.code}: ${UNAVAILABLE[cause.code]})`;
  return cause.kind === "silent" ? " (it does not answer)" : "";
}
