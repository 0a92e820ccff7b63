/**
 * Owns the form of the shop's settings: a field for each, with its words. A setting without one does not compile.
 *
 * **Invariants**
 * - Only what was changed is sent, and an empty field means "no limit" or is kept back.
 */
import type { ShopPatch, ShopSettings } from "../../shop/settings.ts";

/** The settings whose values include all of a type. */
type NamesOf<Value> = {
  [Name in keyof ShopSettings]: Value extends ShopSettings[Name] ? Name : never;
}[keyof ShopSettings];

/** What staff switch at once. */
const FLAGS: Readonly<Record<NamesOf<boolean>, string>> = {
  open: "Open for orders",
  require_code: "An order needs a code from the board",
};
export const FLAG_FIELDS = (Object.keys(FLAGS) as (keyof typeof FLAGS)[]).map((name) => ({ name, label: FLAGS[name] }));

type NumberName = NamesOf<number>;

interface NumberField {
  readonly label: string;
  readonly help: string;
  /** As the shop has it. */
  readonly minimum: number;
  /** Whether it may be empty: no limit. */
  readonly canBeNone: boolean;
}

const NUMBERS: {
  readonly [Name in NumberName]: NumberField & { readonly canBeNone: null extends ShopSettings[Name] ? true : false };
} = {
  capacity: {
    label: "Most orders at once",
    help: "Empty: no limit. Further ones are asked to come back later.",
    minimum: 0,
    canBeNone: true,
  },
  max_open_per_customer: {
    label: "Most orders of one customer",
    help: "Empty: no limit.",
    minimum: 1,
    canBeNone: true,
  },
  drinks_per_code: {
    label: "Drinks for each code",
    help: "Then the board hides it.",
    minimum: 1,
    canBeNone: false,
  },
  code_period_seconds: {
    label: "Seconds until a new code",
    help: "The board shows how long is left, and hides the code for its last 15.",
    minimum: 5,
    canBeNone: false,
  },
  customer_timeout_seconds: {
    label: "Seconds to choose a drink",
    help: "After redeeming a code.",
    minimum: 1,
    canBeNone: false,
  },
  payment_timeout_seconds: {
    label: "Seconds to pay an order",
    help: "Where orders are paid: then it is cancelled.",
    minimum: 1,
    canBeNone: false,
  },
};
const NUMBER_NAMES = Object.keys(NUMBERS) as NumberName[];
export const NUMBER_FIELDS: readonly (NumberField & { readonly name: NumberName })[] = NUMBER_NAMES.map((name) => ({
  name,
  ...NUMBERS[name],
}));

export const CURRENCY = {
  label: "Currency",
  help: "Three letters, such as eur: of the prices on the menu, for orders from now on.",
} as const;

/** The values of the fields; a number of Svelte's is null (or undefined) while its field is empty. */
export type Draft = Record<NumberName, number | null | undefined> & { currency: string };

export function draftOf(settings: ShopSettings): Draft {
  const numbers = NUMBER_NAMES.map((name) => [name, settings[name]] as const);
  return { ...(Object.fromEntries(numbers) as Record<NumberName, number | null>), currency: settings.currency };
}

/** The settings to send: the fields that differ. */
export function changesOf(draft: Draft, settings: ShopSettings): ShopPatch {
  const changed = NUMBER_FIELDS.flatMap(({ name, canBeNone }) => {
    const value = draft[name] ?? null;
    if (value === settings[name] || (value === null && !canBeNone)) return [];
    return [[name, value] as const];
  });
  const currency = draft.currency.trim().toLowerCase();
  return { ...Object.fromEntries(changed), ...(currency && currency !== settings.currency ? { currency } : undefined) };
}
