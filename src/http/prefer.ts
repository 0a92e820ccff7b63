/**
 * Owns the reading of preferences (RFC 7240) and of waiting times.
 *
 * **Invariants**
 * - A waiting time is a whole number of seconds.
 */
import { Type } from "@sinclair/typebox";
import { InvalidInputError } from "../problem.ts";

/** A day: longer than any proxy holds on, and within what timers can count. */
const MAX_WAIT_SECONDS = 86_400;

const description = `a whole number of seconds from 0 to ${MAX_WAIT_SECONDS}`;

/** `?wait=N` */
export const WaitSeconds = Type.Integer({ minimum: 0, maximum: MAX_WAIT_SECONDS, description, examples: [20] });

export interface Preferences {
  readonly respondAsync: boolean;
  /** Undefined: no bound asked for. */
  readonly waitSeconds?: number;
}

const NONE: Preferences = { respondAsync: false };

/**
 * Reads the Prefer header; preferences not known here are ignored, as RFC 7240 asks. Throws a ProblemError for a wrong
 * `wait`.
 */
export function readPreferences(headers: Headers): Preferences {
  const given = headers.get("prefer");
  if (given === null) return NONE;
  let preferences = NONE;
  for (const preference of given.split(",")) {
    const [token = "", value = ""] = (preference.split(";")[0] ?? "").split("=", 2).map((part) => part.trim());
    const name = token.toLowerCase();
    if (name === "respond-async") preferences = { ...preferences, respondAsync: true };
    if (name === "wait" && preferences.waitSeconds === undefined) {
      const seconds = /^"?(\d{1,9})"?$/.exec(value)?.[1];
      if (seconds === undefined || Number(seconds) > MAX_WAIT_SECONDS) {
        throw new InvalidInputError([{ field: "Prefer: wait", detail: `must be ${description}` }]);
      }
      preferences = { ...preferences, waitSeconds: Number(seconds) };
    }
  }
  return preferences;
}

/** The headers of an answer, and the preference that it obeys (RFC 7240, 3). */
export function withPreference(
  { respondAsync, waitSeconds }: Preferences,
  headers?: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> | undefined {
  if (waitSeconds !== undefined) return { ...headers, "Preference-Applied": `wait=${waitSeconds}` };
  return respondAsync ? { ...headers, "Preference-Applied": "respond-async" } : headers;
}
