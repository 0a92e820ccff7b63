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

/** Half of a character that JSON has to write as two escapes: UTF-8 can't hold one alone, though JSON can. */
const SURROGATE = /\\u[dD][89a-fA-F]/;
/** More faults of one kind are of no help. */
const MAX_FAULTS = 10;
const BROKEN_TEXT = "must be Unicode text: half of a character (a surrogate) stands alone in it";

/** The faults of the fields of `value` with half a character in them; `text` is the same as JSON. */
export function findBrokenText(text: string, value: unknown): FieldFault[] {
  if (!SURROGATE.test(text)) return [];
  return [...brokenFields(value)].slice(0, MAX_FAULTS).map((field) => ({ field, detail: BROKEN_TEXT }));
}

/** The fields with half a character in their text or in the name of one of their members. */
function* brokenFields(value: unknown, field = "body"): Generator<string> {
  if (typeof value === "string" && !value.isWellFormed()) yield field;
  if (typeof value !== "object" || value === null) return;
  for (const [name, member] of Object.entries(value)) {
    if (!name.isWellFormed()) yield field;
    else yield* brokenFields(member, field === "body" ? name : `${field}.${name}`);
  }
}
