/**
 * Owns when an order's id was made.
 *
 * **Invariants**
 * - A UUID of another version has no time, and neither has one beyond RFC 3339.
 */

/** Of a UUIDv7 (RFC 9562, 5.7): its first 48 bits are milliseconds. */
export function timeOf(orderId: string): Date | undefined {
  const [, high = "", low = ""] = /^([\da-f]{8})-([\da-f]{4})-7/i.exec(orderId) ?? [];
  const time = new Date(Number.parseInt(high + low, 16));
  // Years of five digits are no RFC 3339.
  return time.getTime() < Date.UTC(10_000, 0) ? time : undefined;
}
