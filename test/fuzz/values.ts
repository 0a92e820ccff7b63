/**
 * Owns the values that requests are made of: such as a schema allows, such as it nearly allows, and junk.
 *
 * **Invariants**
 * - Equal seeds give equal values.
 * - Ids of orders and times to come are placeholders: `stock.ts` fills them in when the request is sent.
 */
import fc from "fast-check";
import type { Schema } from "./description.ts";

/** An id of an order in some state, chosen when the request is sent. */
const orderId = fc
  .tuple(
    fc.constantFrom(
      "any",
      "any",
      "reserved",
      "scheduled",
      "queued",
      "queued",
      "brewing",
      "brewing",
      "ready",
      "cancelled",
    ),
    fc.nat(999),
  )
  .map(([state, index]) => `<order:${state}:${index}>`);

const anyTime = fc
  .date({ min: new Date("2020-01-01"), max: new Date("2030-01-01"), noInvalidDate: true })
  .map((date) => date.toISOString());

/**
 * Values that the schema allows. What it can't know, such as the ids of the menu, comes from `known`, by the field's
 * name.
 */
export function valid(schema: Schema, name = ""): fc.Arbitrary<unknown> {
  const known = schema["type"] === "array" ? undefined : KNOWN[name];
  return known ? fc.oneof({ weight: 5, arbitrary: known }, { weight: 1, arbitrary: allowed(schema) }) : allowed(schema);
}

/** Fields whose right values stand in no schema. */
const KNOWN: Readonly<Partial<Record<string, fc.Arbitrary<unknown>>>> = {
  item: fc.constantFrom("americano", "latte", "latte", "espresso"),
  code: fc.constant("<code>"),
  barista: fc.constantFrom("Grace", "Linus"),
  customer_id: fc.constantFrom("c1", "c2", "c3"),
  queue: fc.constantFrom("default", "work", "work"),
  not_before: fc.constantFrom(300, 1000, 3_600_000, 604_000_000, 700_000_000, -1000).map((ms) => `<ahead:${ms}>`),
  modifiers: fc.constantFrom({}, {}, {}, { milk: "oat" }, { size: "large" }),
  // Longer waits are rare: such a request is given up unanswered.
  wait: fc.constantFrom(0, 0, 0, 0, 0, 1),
  next: fc.constantFrom(0, 0, 0, 0, 0, 1),
};

function allowed(schema: Schema): fc.Arbitrary<unknown> {
  if (!("type" in schema || "const" in schema || "enum" in schema || "anyOf" in schema)) return fc.jsonValue();
  if ("const" in schema) return fc.constant(schema["const"]);
  if (Array.isArray(schema["enum"])) return fc.constantFrom(...(schema["enum"] as unknown[]));
  if (Array.isArray(schema["anyOf"])) return fc.oneof(...(schema["anyOf"] as Schema[]).map((one) => allowed(one)));
  switch (schema["type"]) {
    case "string":
      return allowedText(schema);
    case "integer":
      return fc.integer(bounds(schema));
    case "number":
      return fc.double({ ...bounds(schema), noNaN: true });
    case "boolean":
      return fc.boolean();
    case "null":
      return fc.constant(null);
    case "array":
      return fc.array(allowed(schema["items"] as Schema), lengths(schema, "Items"));
    case "object":
      return allowedObject(schema);
    default:
      throw new Error(`no values are known for ${JSON.stringify(schema)}`);
  }
}

function allowedObject(schema: Schema): fc.Arbitrary<object> {
  const members = Object.entries((schema["properties"] ?? {}) as Record<string, Schema>);
  const named = fc.record(Object.fromEntries(members.map(([name, member]) => [name, valid(member, name)])), {
    requiredKeys: (schema["required"] ?? []) as string[],
  });
  const [pattern] = Object.entries((schema["patternProperties"] ?? {}) as Record<string, Schema>);
  if (!pattern) return named;
  const [name, value] = pattern;
  return fc.dictionary(fc.stringMatching(new RegExp(name)), allowed(value), { maxKeys: 3 });
}

function allowedText(schema: Schema): fc.Arbitrary<string> {
  switch (schema["format"]) {
    case "uuid":
      return fc.oneof({ weight: 8, arbitrary: orderId }, { weight: 1, arbitrary: fc.uuid() });
    case "date":
      return anyTime.map((time) => time.slice(0, 10));
    case "date-time":
      return anyTime;
    case "at-most-200-characters":
    case "1-to-500-characters":
      return fc.string({ unit: "grapheme", minLength: 1, maxLength: 60 });
    default:
  }
  if (typeof schema["pattern"] === "string") return matching(new RegExp(schema["pattern"]));
  return fc.string({ unit: "grapheme-ascii", ...lengths(schema, "Length") });
}

/** Any text that fits, and often one of a few words, so that requests meet each other's. */
function matching(pattern: RegExp): fc.Arbitrary<string> {
  const words = ["mocha", "ristretto"].filter((word) => pattern.test(word));
  const any = fc.stringMatching(pattern);
  return words.length === 0 ? any : fc.oneof(any, fc.constantFrom(...words));
}

function bounds(schema: Schema): { min: number; max: number } {
  return { min: Number(schema["minimum"] ?? -1e6), max: Number(schema["maximum"] ?? 1e6) };
}

function lengths(schema: Schema, of: "Length" | "Items"): { minLength: number; maxLength: number } {
  return { minLength: Number(schema[`min${of}`] ?? 0), maxLength: Number(schema[`max${of}`] ?? 20) };
}

/** What no schema asks for. */
const ODD = [
  null,
  true,
  -1,
  0,
  1.5,
  1e308,
  2 ** 53,
  "",
  " ",
  "\u0000",
  "\ud800",
  "__proto__",
  "constructor",
  "<b>&amp;",
  "'; --",
  "a".repeat(65),
  "b".repeat(10_000),
  "☕".repeat(201),
  "../..",
  "%00",
  "a\r\nb: c",
  "NaN",
  "-0",
  "007",
  "1e3",
  "١",
  "2026-02-30",
  "2026-02-30T00:00:00Z",
  [],
  {},
  [[[]]],
  { toString: 1 },
] as const;

export const junk: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom<unknown>(...ODD) },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
  { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 80 }) },
);

/** Values with one thing in them that may be wrong: a member changed, left out or too many. */
export function nearlyValid(schema: Schema, name = ""): fc.Arbitrary<unknown> {
  return fc
    .tuple(valid(schema, name), fc.constantFrom("change", "leave out", "add"), fc.nat(50), junk, fc.string())
    .map(([value, what, at, odd, added]) => {
      if (typeof value !== "object" || value === null) return odd;
      const members = Object.entries(value);
      if (what === "add" || members.length === 0) return Object.fromEntries([...members, [added, odd]]);
      const index = at % members.length;
      if (what === "leave out") return Object.fromEntries(members.toSpliced(index, 1));
      return Object.fromEntries(members.with(index, [members[index]?.[0] ?? "", odd]));
    });
}
