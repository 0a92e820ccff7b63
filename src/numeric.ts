/**
 * Owns numbers in schemas, and their reading from text: settings and query parameters come as text.
 *
 * **Invariants**
 * - Only text that is wholly a number becomes one.
 * - Anything else is left for the schema to refuse.
 */
import { Type, type IntegerOptions, type TInteger, type TObject, type TSchema } from "@sinclair/typebox";

/** A whole number in these bounds. */
export function wholeNumber(minimum: number, maximum: number, options: IntegerOptions = {}): TInteger {
  return Type.Integer({
    minimum,
    maximum,
    description: `a whole number from ${minimum} to ${maximum}`,
    ...options,
  });
}

/** The properties that the schema wants as a number. */
export function numbersIn(schema: TObject): ReadonlySet<string> {
  return new Set(Object.keys(schema.properties).filter((name) => wantsNumber(schema.properties[name] as TSchema)));
}

/** A text that is wholly a number becomes one; any other stays as it is. */
export function toNumber(text: string): number | string {
  return NUMBER.test(text) ? Number(text) : text;
}

const NUMBER = /^-?\d+(\.\d+)?$/;

/** Turns the text of each property that the schema wants as a number into one. */
export function readNumbers(schema: TObject, values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => {
      const property = schema.properties[name];
      const isNumber = property && wantsNumber(property) && typeof value === "string";
      return [name, isNumber ? toNumber(value) : value];
    }),
  );
}

function wantsNumber(schema: TSchema): boolean {
  const alternatives: unknown = schema.anyOf;
  if (Array.isArray(alternatives)) return alternatives.some((alternative) => wantsNumber(alternative as TSchema));
  return schema.type === "integer" || schema.type === "number";
}
