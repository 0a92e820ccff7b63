/**
 * Owns the text by which an order fails.
 *
 * **Invariants**
 * - It has 1 to 500 characters, as the server takes it.
 *
 * Browsers run this file too: it imports nothing.
 */
const MAX_ERROR_CHARACTERS = 500;

/** A text as the error of an order. `otherwise`: where it is empty. */
export function boundError(text: string, otherwise = "the machine failed"): string {
  const characters = Array.from(text.toWellFormed().slice(0, MAX_ERROR_CHARACTERS * 2));
  return characters.slice(0, MAX_ERROR_CHARACTERS).join("") || otherwise;
}
