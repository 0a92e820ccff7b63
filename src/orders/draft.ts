/**
 * Owns how what a customer says of an order travels to Redis.
 *
 * **Invariants**
 * - Nothing that is empty is kept.
 * - Bodies that mean the same have the same hash.
 */
import { DEFAULT_ITEM, type Draft } from "./order.ts";

export function encodeModifiers(modifiers: Draft["modifiers"]): string {
  return hasOptions(modifiers) ? JSON.stringify(modifiers) : "";
}

/** The members that are kept beside those that scripts know, `traceparent` among them: a JSON object. */
export function encodeDetails(
  { item: _item, code: _code, note, modifiers, not_before, ...others }: Draft,
  traceparent?: string,
): string {
  const options = hasOptions(modifiers) ? modifiers : undefined;
  const own = traceparent === undefined ? others : { traceparent, ...others };
  return JSON.stringify({ ...own, note: note || undefined, modifiers: options, not_before: inUtc(not_before) });
}

/** A time as orders show it: in UTC, with milliseconds. */
export function inUtc(time: string | undefined): string | undefined {
  return time === undefined ? undefined : new Date(time).toISOString();
}

function hasOptions(modifiers: Draft["modifiers"]): boolean {
  return modifiers !== undefined && Object.keys(modifiers).length > 0;
}

/** A hash of the body: defaults filled in, fields in a fixed order. */
export function hashOf({ item = DEFAULT_ITEM, modifiers = {}, ...others }: Draft): string {
  const options = Object.entries(modifiers).toSorted(([one], [other]) => (one < other ? -1 : 1));
  const { note = "", customer_id = "", customer_name = "", code = "", not_before, callback_url } = others;
  // (A body that every version takes has the hash that every version gives it.)
  const scheduled = not_before === undefined ? [] : [encodeDue(not_before)];
  const called = callback_url === undefined ? [] : [callback_url];
  return hashOfJson(JSON.stringify([item, note, customer_id, customer_name, options, code, ...scheduled, ...called]));
}

/** JSON that means the same as `json`: the members of each object in a fixed order. */
export function inFixedOrder(json: string): string {
  if (!json.includes("{")) return json;
  return JSON.stringify(JSON.parse(json), (_name, value: unknown) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
    return Object.fromEntries(Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1)));
  });
}

export function hashOfJson(json: string): string {
  return new Bun.CryptoHasher("sha256").update(json).digest("base64url");
}

/** When an order may be started, ms since 1970; empty: at once. */
export function encodeDue(notBefore: string | undefined): string {
  return notBefore === undefined ? "" : String(Date.parse(notBefore));
}
