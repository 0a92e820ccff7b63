/**
 * Owns what goes wrong at the test acquirer on demand, and how it is asked for while it runs.
 *
 * **Invariants**
 * - Shares are from 0 to 1, and times are bounded: a value out of range changes nothing.
 */
import { unread, type Answer } from "./answer.ts";

export interface Faults {
  /** How long each call of the API takes. */
  readonly delay_ms: number;
  /** How long a webhook is held back. */
  readonly webhook_delay_ms: number;
  /** The share of webhooks that are never sent. */
  readonly drop: number;
  /** The share of webhooks that are sent twice. */
  readonly double: number;
  /** The share of good cards that are declined. */
  readonly decline: number;
  /** The share of calls that are done, but whose answer is lost or an error. */
  readonly fail: number;
  readonly fail_as: FailAs;
  /** How long an authorisation holds. Stripe's holds for seven days. */
  readonly hold_seconds: number;
}

/** `lost`: the connection is closed; `500`: an error is answered; `either`: as chance has it. */
export const FAIL_AS = ["either", "lost", "500"] as const;
type FailAs = (typeof FAIL_AS)[number];

export const MAX_DELAY_MS = 120_000;
export const WEEK_SECONDS = 604_800;

export const NO_FAULTS: Faults = {
  delay_ms: 0,
  webhook_delay_ms: 0,
  drop: 0,
  double: 0,
  decline: 0,
  fail: 0,
  fail_as: "either",
  hold_seconds: WEEK_SECONDS,
};

const SHARE = { max: 1, wanted: "a number from 0 to 1" };
const DELAY = { max: MAX_DELAY_MS, wanted: `milliseconds from 0 to ${MAX_DELAY_MS}` };
const RANGES: Readonly<Record<Exclude<keyof Faults, "fail_as">, { readonly max: number; readonly wanted: string }>> = {
  delay_ms: DELAY,
  webhook_delay_ms: DELAY,
  drop: SHARE,
  double: SHARE,
  decline: SHARE,
  fail: SHARE,
  hold_seconds: { max: WEEK_SECONDS, wanted: `seconds from 0 to ${WEEK_SECONDS}` },
};

/** The faults after a change, given as JSON; or the refusal, which names the field. */
export function changeFaults(faults: Faults, given: Readonly<Record<string, unknown>>): Faults | Answer {
  for (const [name, value] of Object.entries(given)) {
    const wanted = wantedOf(name, value);
    if (wanted !== undefined) return unread({ message: `${name} must be ${wanted}.`, param: name });
  }
  return { ...faults, ...given };
}

/** What the field must be; undefined where its value is that. */
function wantedOf(name: string, value: unknown): string | undefined {
  if (name === "fail_as") return FAIL_AS.some((way) => way === value) ? undefined : `one of ${FAIL_AS.join(", ")}`;
  if (!isRanged(name)) return `left out: there are ${Object.keys(NO_FAULTS).join(", ")}`;
  const { max, wanted } = RANGES[name];
  return typeof value === "number" && value >= 0 && value <= max ? undefined : wanted;
}

function isRanged(name: string): name is keyof typeof RANGES {
  return Object.hasOwn(RANGES, name);
}

/** Whether a share of 0 to 1 hits this time. */
export function strikes(share: number): boolean {
  return Math.random() < share;
}
