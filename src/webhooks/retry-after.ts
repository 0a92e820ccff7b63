/**
 * Owns the header Retry-After of what a webhook's target answers.
 *
 * **Invariants**
 * - What it asks for is bounded: no target can put a message off for ever.
 */
const MAX_MS = 3_600_000;

/** Its seconds or its date, in ms from now; undefined where it says nothing that can be read. */
export function readRetryAfter(headers: Headers, nowMs = Date.now()): number | undefined {
  const text = headers.get("retry-after")?.trim();
  if (!text) return undefined;
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - nowMs;
  return Number.isNaN(ms) ? undefined : Math.min(MAX_MS, Math.max(0, ms));
}
