/**
 * Owns how amounts of money are written.
 *
 * **Invariants**
 * - An amount is in the smallest unit of its currency, and is written as this device writes money.
 */
const formats = new Map<string, Intl.NumberFormat>();

/** `currency`: ISO 4217, such as eur. Undefined: it is not known yet, and the amount stands alone. */
export function formatPrice(amount: number, currency: string | undefined): string {
  const format = findFormat(currency);
  const { maximumFractionDigits: digits = 2 } = format.resolvedOptions();
  return format.format(amount / 10 ** digits);
}

function findFormat(currency = ""): Intl.NumberFormat {
  const known = formats.get(currency);
  if (known) return known;
  const style = currency
    ? ({ style: "currency", currency } as const)
    : { minimumFractionDigits: 2, maximumFractionDigits: 2 };
  const format = new Intl.NumberFormat(undefined, style);
  formats.set(currency, format);
  return format;
}
