/**
 * Owns the reading of numbers from text: settings and query parameters come as text.
 * Always holds: only text that is wholly a number becomes one; anything else is left for the schema to refuse.
 */
import type { TObject, TSchema } from "@sinclair/typebox";

/** Turns the text of each property that the schema wants as a number into one. */
export function readNumbers(schema: TObject, values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => {
      const property = schema.properties[name];
      const isNumber = property && wantsNumber(property) && typeof value === "string" && /^-?\d+(\.\d+)?$/.test(value);
      return [name, isNumber ? Number(value) : value];
    }),
  );
}

function wantsNumber(schema: TSchema): boolean {
  const alternatives: unknown = schema.anyOf;
  if (Array.isArray(alternatives)) return alternatives.some((alternative) => wantsNumber(alternative as TSchema));
  return schema.type === "integer" || schema.type === "number";
}
