/**
 * Owns the states of an order, which of them are final, and how far ahead one may be put off.
 * Browsers run this file too: it imports nothing.
 *
 * **Invariants**
 * - An order in a final state never changes again.
 */

export const OPEN_STATUSES = ["reserved", "unpaid", "scheduled", "queued", "brewing"] as const;
export type OpenStatus = (typeof OPEN_STATUSES)[number];

export const STATUSES = [...OPEN_STATUSES, "ready", "cancelled"] as const;

export function isFinal(status: (typeof STATUSES)[number]): boolean {
  return status === "ready" || status === "cancelled";
}

/** The longest time that an order that failed may wait before it is started again: a day. */
export const MAX_RETRY_AFTER_SECONDS = 86_400;

/** `redis/lib/admission.lua` holds it. */
export const MAX_SCHEDULED_DAYS = 7;
