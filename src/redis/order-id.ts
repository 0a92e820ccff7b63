/**
 * Owns how the id of an order is read from its JSON.
 *
 * **Invariants**
 * - The JSON is not parsed: scripts write the id first.
 */
const AT = '{"order_id":"'.length;

/** The id of the order that a script has written as JSON. */
export function orderIdIn(json: string): string {
  return json.slice(AT, json.indexOf('"', AT));
}
