/**
 * Owns how the test acquirer reads a form: known names only, whole amounts.
 *
 * **Invariants**
 * - What it does not know is refused: a name that is spelled wrong is found at once.
 */
import { unread, type Answer } from "./answer.ts";

const MAX_AMOUNT = 99_999_999;

export class Form {
  readonly #fields: URLSearchParams;

  constructor(body: string) {
    this.#fields = new URLSearchParams(body);
  }

  text(name: string): string | undefined {
    return this.#fields.get(name) || undefined;
  }

  /** Fields as `metadata[order_id]`, by what stands in the brackets. */
  map(name: string): Record<string, string> {
    const inner = new RegExp(String.raw`^${name}\[(.+)\]$`);
    return Object.fromEntries(
      [...this.#fields].flatMap(([field, value]) => {
        const key = inner.exec(field)?.[1];
        return key === undefined ? [] : [[key, value] as const];
      }),
    );
  }

  list(name: string): string[] {
    return Object.values(this.map(name));
  }

  /** A whole number of cents, or the refusal. */
  amount(name: string): number | Answer {
    const value = this.text(name);
    if (value === undefined) return missing(name);
    const amount = /^\d+$/.test(value) ? Number(value) : NaN;
    if (amount >= 1 && amount <= MAX_AMOUNT) return amount;
    return unread({
      code: "parameter_invalid_integer",
      message: `Invalid integer: ${value.slice(0, 40)}`,
      param: name,
    });
  }

  /** The refusal of a name that is none of `known`; `metadata` also knows `metadata[…]`. */
  unknown(known: readonly string[]): Answer | undefined {
    const name = [...this.#fields.keys()].find((field) => !known.includes(field.replace(/\[.*\]$/, "")));
    if (name === undefined) return undefined;
    return unread({
      code: "parameter_unknown",
      message: `Received unknown parameter: ${name.slice(0, 100)}`,
      param: name.slice(0, 100),
    });
  }
}

export function missing(name: string): Answer {
  return unread({ code: "parameter_missing", message: `Missing required param: ${name}.`, param: name });
}
