/**
 * Owns how the faults of a value by its schema are said, in words.
 *
 * **Invariants**
 * - Every fault names its field and what is wanted, and never repeats the value.
 */
import { ValueErrorType, type ValueError } from "@sinclair/typebox/errors";
import type { FieldFault } from "./problem.ts";

/** One fault a field, in the words of the field's schema; `whole` is what the value itself is called. */
export function faultsOf(errors: Iterable<ValueError>, whole = "body"): FieldFault[] {
  const faults = new Map<string, FieldFault>();
  for (const error of errors) {
    const field = readPointer(error.path).join(".") || whole;
    if (!faults.has(field)) faults.set(field, { field, detail: describe(error) });
  }
  return [...faults.values()];
}

/** The names in a JSON pointer (RFC 6901). */
function readPointer(pointer: string): string[] {
  return pointer
    .split("/")
    .slice(1)
    .map((name) => name.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function describe({ type, schema, value, message }: ValueError): string {
  if (type === ValueErrorType.ObjectAdditionalProperties) return "is not known here: leave it out";
  const isMissing = value === undefined;
  if (schema.description) return `${isMissing ? "is missing: it " : ""}must be ${schema.description}`;
  return isMissing ? "is missing" : `is wrong: ${message.charAt(0).toLowerCase()}${message.slice(1)}`;
}
