/**
 * Owns how a machine's schemas are read: that they are some, and the faults of a value by one.
 *
 * **Invariants**
 * - A schema that can't be checked against is refused when the machine is defined.
 */
import { FormatRegistry, Kind, type TSchema } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import type { FieldFault } from "../problem.ts";
import { faultsOf } from "../schema-faults.ts";

/** The faults of a value; none where it is what the schema says. */
export type SchemaCheck = (value: unknown) => readonly FieldFault[];

/** `whole`: what the value itself is called in faults. Throws a TypeError that says what is wrong with the schema. */
export function compileCheck(schema: unknown, whole: string): SchemaCheck {
  if (!isSchema(schema)) throw new TypeError("must be a TypeBox schema, such as Type.Object({…})");
  const format = findUnknownFormat(schema);
  if (format !== undefined) throw new TypeError(`names the format ${format}: set it in TypeBox's FormatRegistry first`);
  const validator = compile(schema);
  return (value) => (validator.Check(value) ? [] : faultsOf(validator.Errors(value), whole));
}

function isSchema(value: unknown): value is TSchema {
  return typeof value === "object" && value !== null && Kind in value;
}

function compile(schema: TSchema) {
  try {
    return TypeCompiler.Compile(schema);
  } catch (cause) {
    throw new TypeError(`can't be compiled (${cause instanceof Error ? cause.message : "unknown"})`, { cause });
  }
}

/** A format that TypeBox does not know would refuse every text. */
function findUnknownFormat(schema: unknown): string | undefined {
  if (typeof schema !== "object" || schema === null) return undefined;
  const { format, type } = schema as { readonly format?: unknown; readonly type?: unknown };
  if (type === "string" && typeof format === "string" && !FormatRegistry.Has(format)) return format;
  for (const part of Object.values(schema)) {
    const found = findUnknownFormat(part);
    if (found !== undefined) return found;
  }
  return undefined;
}
