/**
 * Owns how a demand, as other programs append it, is read: as the input of an order, or with what is wrong with it.
 *
 * **Invariants**
 * - What is kept of a bad one is bounded, and JSON.
 * - A demand that is read again is read the same.
 */
import type { Static } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import { findBrokenText, isTooDeep, MAX_JSON_BYTES, TOO_DEEP } from "../any-json.ts";
import { boundError } from "../machines/error-text.ts";
import { sayFaults } from "../problem.ts";
import { faultsOf } from "../schema-faults.ts";
import { draw } from "./drawing.ts";
import { WorkInput } from "./input.ts";

/** An entry of the stream. */
export interface Entry {
  readonly id: string;
  /** The length of all its texts. Where that is too much, only their beginnings are there. */
  readonly bytes: number;
  /** Fields and values in turn. */
  readonly fields: readonly string[];
}

/** `input`: JSON in one line. `bad`: `input` is what is kept of it. */
export type Demand =
  | { readonly kind: "good"; readonly input: string; readonly workCode: string }
  | { readonly kind: "bad"; readonly input: string; readonly error: string };

/** The field that holds a demand as JSON. */
const FIELD = "demand";
/** Of a bad one. */
const MAX_KEPT_CHARACTERS = 1000;

const validator = TypeCompiler.Compile(WorkInput);

export function readDemand({ id, bytes, fields }: Entry): Demand {
  const values = new Map(pairsOf(fields));
  const text = values.get(FIELD) ?? JSON.stringify(Object.fromEntries(values));
  if (bytes > MAX_JSON_BYTES) return refuse(text, `it has ${bytes} bytes, and may have ${MAX_JSON_BYTES}`);
  if (isTooDeep(text)) return refuse(text, `${FIELD} ${TOO_DEEP}`);
  const value = values.has(FIELD) ? parse(text) : fromFields(values);
  if (value === undefined) return refuse(text, `${FIELD} must be JSON`);
  const faults = findBrokenText(text, value);
  const input = withoutUnknown(value);
  if (faults.length === 0 && !validator.Check(input)) faults.push(...faultsOf(validator.Errors(input), FIELD));
  if (faults.length > 0) return refuse(text, sayFaults(faults));
  const { add_up_to, work_code: workCode = draw("consumer", id).workCode } = input as Static<typeof WorkInput>;
  return { kind: "good", input: JSON.stringify({ add_up_to, work_code: workCode }), workCode };
}

function* pairsOf(fields: readonly string[]): Generator<[string, string]> {
  for (let at = 0; at < fields.length; at += 2) yield [fields[at] ?? "", fields[at + 1] ?? ""];
}

/** Undefined: it is none. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** A demand in fields of its own: `add_up_to 2 done false`. */
function fromFields(values: ReadonlyMap<string, string>): object {
  const addUpTo = values.get("add_up_to");
  const workCode = values.get("work_code");
  return {
    ...(addUpTo === undefined ? undefined : { add_up_to: /^\d{1,15}$/.test(addUpTo) ? Number(addUpTo) : addUpTo }),
    ...(workCode === undefined ? undefined : { work_code: workCode }),
  };
}

/** Programs say more of a demand than is needed here. `done` is theirs too. */
function withoutUnknown(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const { add_up_to, work_code } = value as Record<string, unknown>;
  return {
    ...("add_up_to" in value ? { add_up_to } : undefined),
    ...("work_code" in value ? { work_code } : undefined),
  };
}

/** What was sent stays JSON where it is short. */
function refuse(text: string, error: string): Demand {
  const isShort = text.length <= MAX_KEPT_CHARACTERS && !isTooDeep(text);
  const value = isShort ? parse(text) : undefined;
  const isKept = value !== undefined && findBrokenText(text, value).length === 0;
  const input = JSON.stringify(isKept ? value : text.slice(0, MAX_KEPT_CHARACTERS).toWellFormed());
  return { kind: "bad", input, error: boundError(error) };
}
