/**
 * Owns the string formats that schemas name.
 *
 * **Invariants**
 * - A date is a day of the calendar, and a time is RFC 3339.
 */
import { FormatRegistry } from "@sinclair/typebox";

const TIME = /^(\d{4}-\d{2}-\d{2})[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/;

/** February has no 30th, though some parsers make a day in March of it. */
function isDate(text: string): boolean {
  const ms = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(text) : Number.NaN;
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(text);
}

function isTime(text: string): boolean {
  const date = TIME.exec(text)?.[1];
  return date !== undefined && isDate(date) && !Number.isNaN(Date.parse(text));
}

/** `2026-11-20` */
export const DATE = register("date", isDate);

/** `2026-11-20T09:30:00.120Z` (RFC 3339) */
export const DATE_TIME = register("date-time", isTime);

/** A day or a time. */
export const DATE_OR_TIME = register("date-or-time", (text) => isDate(text) || isTime(text));

/** JSON Schema's maxLength counts code points, but TypeBox's UTF-16 units: an emoji would be two characters. */
export const AT_MOST_200_CHARACTERS = register("at-most-200-characters", (text) => Array.from(text).length <= 200);

/** The same for text that says something. */
export const FROM_1_TO_500_CHARACTERS = register(
  "1-to-500-characters",
  (text) => text !== "" && Array.from(text).length <= 500,
);

/** Pattern of the name of a queue. */
export const QUEUE_NAME = "^[A-Za-z0-9_-]{1,64}$";

/** Pattern of the type of a machine's own event, such as `compute/start`. */
export const OWN_EVENT_TYPE = "[a-z]{1,32}/[a-z]{1,32}";

/** Pattern of a coffee's id on the menu. */
export const COFFEE_ID = "^[a-z0-9_-]{1,64}$";

function register(name: string, check: (text: string) => boolean): string {
  FormatRegistry.Set(name, check);
  return name;
}
