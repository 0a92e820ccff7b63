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

/** The members of the order that are kept beside those that scripts know: a JSON object. */
export function encodeDetails({ item: _item, code: _code, note, modifiers, ...others }: Draft): string {
  const options = hasOptions(modifiers) ? modifiers : undefined;
  return JSON.stringify({ ...others, note: note || undefined, modifiers: options });
}

function hasOptions(modifiers: Draft["modifiers"]): boolean {
  return modifiers !== undefined && Object.keys(modifiers).length > 0;
}

/** A hash of the body: defaults filled in, fields in a fixed order. */
export function hashOf({ item = DEFAULT_ITEM, modifiers = {}, ...others }: Draft): string {
  const options = Object.entries(modifiers).toSorted(([one], [other]) => (one < other ? -1 : 1));
  const { note = "", customer_id = "", customer_name = "", code = "" } = others;
  const canonical = JSON.stringify([item, note, customer_id, customer_name, options, code]);
  return new Bun.CryptoHasher("sha256").update(canonical).digest("base64url");
}
