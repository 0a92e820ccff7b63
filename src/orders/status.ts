/**
 * Owns the states of an order, and which of them are final. Browsers run this file too: it imports nothing.
 *
 * **Invariants**
 * - An order in a final state never changes again.
 */

export const STATUSES = ["reserved", "scheduled", "queued", "brewing", "ready", "cancelled"] as const;

export function isFinal(status: (typeof STATUSES)[number]): boolean {
  return status === "ready" || status === "cancelled";
}
