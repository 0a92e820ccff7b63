/**
 * Owns the form of the shop's numbers.
 *
 * **Invariants**
 * - Only what was changed is sent, and an empty field means "no limit" or is kept back.
 */
import type { ShopPatch } from "../../shop/settings.ts";
import type { Settings } from "../shared/staff/api.ts";

type NumberName =
  | "capacity"
  | "max_open_per_customer"
  | "drinks_per_code"
  | "code_period_seconds"
  | "customer_timeout_seconds";

interface NumberField {
  readonly name: NumberName;
  readonly label: string;
  readonly help: string;
  readonly minimum: number;
  /** Whether it may be empty: no limit. */
  readonly canBeNone: boolean;
}

export const NUMBER_FIELDS: readonly NumberField[] = [
  {
    name: "capacity",
    label: "Most orders at once",
    help: "Empty: no limit. Further ones are asked to come back later.",
    minimum: 0,
    canBeNone: true,
  },
  {
    name: "max_open_per_customer",
    label: "Most orders of one customer",
    help: "Empty: no limit.",
    minimum: 1,
    canBeNone: true,
  },
  {
    name: "drinks_per_code",
    label: "Drinks for each code",
    help: "Then the board hides it.",
    minimum: 1,
    canBeNone: false,
  },
  {
    name: "code_period_seconds",
    label: "Seconds until a new code",
    help: "The board shows how long is left, and hides the code for its last 15.",
    minimum: 5,
    canBeNone: false,
  },
  {
    name: "customer_timeout_seconds",
    label: "Seconds to choose a drink",
    help: "After redeeming a code.",
    minimum: 1,
    canBeNone: false,
  },
];

/** The values of the fields; a number field of Svelte's is null (or undefined) while it is empty. */
export type Draft = Record<NumberName, number | null | undefined>;

export function draftOf(settings: Settings): Draft {
  const { capacity, max_open_per_customer, drinks_per_code, code_period_seconds, customer_timeout_seconds } = settings;
  return { capacity, max_open_per_customer, drinks_per_code, code_period_seconds, customer_timeout_seconds };
}

/** The settings to send: the fields that differ. */
export function changesOf(draft: Draft, settings: Settings): ShopPatch {
  const changed = NUMBER_FIELDS.flatMap(({ name, canBeNone }) => {
    const value = draft[name] ?? null;
    if (value === settings[name] || (value === null && !canBeNone)) return [];
    return [[name, value] as const];
  });
  return Object.fromEntries(changed);
}
