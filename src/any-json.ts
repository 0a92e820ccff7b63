/**
 * Owns the bounds of JSON that is passed through as it is: results.
 *
 * **Invariants**
 * - What keeps them can be written as UTF-8, and read by the parsers that many use.
 */
import type { FieldFault } from "./problem.ts";

export const MAX_JSON_BYTES = 256 * 1024;
/** Parsers that many use go no deeper than 128. */
const MAX_NESTING_LEVELS = 100;
export const TOO_DEEP = `must have at most ${MAX_NESTING_LEVELS} levels of arrays and objects`;

/** Whether JSON opens more brackets inside each other than it may. */
export function isTooDeep(text: string): boolean {
  let [depth, isInString] = [0, false];
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (isInString && character === "\\") at++;
    else if (character === '"') isInString = !isInString;
    else if (isInString) continue;
    else if (character === "[" || character === "{") depth++;
    else if (character === "]" || character === "}") depth--;
    if (depth > MAX_NESTING_LEVELS) return true;
  }
  return false;
}

/** A value as JSON; undefined for what JSON can't hold, whatever the value is. */
export function writeJson(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}

/** A number that may be more than a double holds: of so many digits, or with such an exponent. All others are less. */
const LONG_NUMBER = /\d{200}|\d[eE]\+?\d{3}/;
const TOO_LARGE = "must be a number that JSON parsers can hold: at most 1.7e308";

/** The faults of the fields of `value` that are no numbers any more; `text` is the same as JSON. */
export function findLostNumbers(text: string, value: unknown): FieldFault[] {
  if (!LONG_NUMBER.test(text)) return [];
  return faultyFields(value, (each) => typeof each === "number" && !Number.isFinite(each), TOO_LARGE);
}

/** Half of a character that JSON has to write as two escapes: UTF-8 can't hold one alone, though JSON can. */
const SURROGATE = /\\u[dD][89a-fA-F]/;
/** More faults of one kind are of no help. */
const MAX_FAULTS = 10;
const BROKEN_TEXT = "must be Unicode text: half of a character (a surrogate) stands alone in it";

/** The faults of the fields of `value` with half a character in them; `text` is the same as JSON. */
export function findBrokenText(text: string, value: unknown): FieldFault[] {
  if (!SURROGATE.test(text)) return [];
  return faultyFields(value, (each) => typeof each === "string" && !each.isWellFormed(), BROKEN_TEXT);
}

function faultyFields(value: unknown, isFaulty: (each: unknown) => boolean, detail: string): FieldFault[] {
  return [...findFields(value, isFaulty)].slice(0, MAX_FAULTS).map((field) => ({ field, detail }));
}

/** The fields that are faulty, or have a member whose name is. */
function* findFields(value: unknown, isFaulty: (each: unknown) => boolean, field = "body"): Generator<string> {
  if (isFaulty(value)) yield field;
  if (typeof value !== "object" || value === null) return;
  for (const [name, member] of Object.entries(value)) {
    if (isFaulty(name)) yield field;
    else yield* findFields(member, isFaulty, field === "body" ? name : `${field}.${name}`);
  }
}
