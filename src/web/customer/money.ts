/**
 * Owns how prices are written.
 *
 * **Invariants**
 * - Cents in, two decimals out, as this device writes numbers.
 * - The shop names no currency.
 */
const format = new Intl.NumberFormat(undefined, { minimumFractionDigits: 2, maximumFractionDigits: 2 });

export function formatPrice(cents: number): string {
  return format.format(cents / 100);
}
