/**
 * Owns what a page reads of an order's id: whether it is one, and when it was made.
 *
 * **Invariants**
 * - An id is a UUIDv7 (RFC 9562): it begins with the time.
 */
const ID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i;

export function isOrderId(text: string): boolean {
  return ID.test(text);
}

/** When it was made (RFC 3339); undefined where that does not stand in it. */
export function timeOfId(id: string): string | undefined {
  if (!isOrderId(id) || id[14] !== "7") return undefined;
  return new Date(Number.parseInt(id.slice(0, 13).replace("-", ""), 16)).toISOString();
}
