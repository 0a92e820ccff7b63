/**
 * Owns the marker that every note and name of the tests carries on its way to a server.
 *
 * **Invariants**
 * - It is put in where words are sent, and taken out where they come back.
 * - Tests without a browser write and read words without it.
 * - No server of the tests has ended with it in its output (server.ts).
 */

/** No text of ours holds it. */
const MARKER = "Qz7wOrdS";
/** Longer words test how long they may be. */
const MAX_MARKED_CHARACTERS = 40;
const NAMES = new Set(["note", "customer_name"]);
const BARISTA = /([?&]barista=)([^&]{1,40})(?=&|$)/;

/** Browsers that are open: pages show the words to the tests as they came. */
let browsers = 0;

/** Lets words go unmarked while a browser is open. Returns how to end that. */
export function showWords(): () => void {
  browsers += 1;
  return () => {
    browsers -= 1;
  };
}

/** A body, its notes and names marked. */
export function markWords(json: unknown): unknown {
  if (browsers > 0 || typeof json !== "object" || json === null || Array.isArray(json)) return json;
  return Object.fromEntries(
    Object.entries(json).map(([name, value]) => [name, isMarkable(name, value) ? value + MARKER : value]),
  );
}

/** A URL, the barista's name in its query marked. */
export function markUrl(url: string): string {
  if (browsers > 0) return url;
  return url.replace(BARISTA, (_all, before: string, name: string) => before + name + MARKER);
}

export function unmark(text: string): string {
  return text.replaceAll(MARKER, "");
}

/** Throws where words of a customer or a barista stand in a server's output. */
export function expectNoWords(output: string): void {
  const at = output.indexOf(MARKER);
  if (at >= 0) throw new Error(`words in the log: ${output.slice(Math.max(0, at - 300), at + 100)}`);
}

function isMarkable(name: string, value: unknown): value is string {
  return NAMES.has(name) && typeof value === "string" && value.length > 0 && value.length <= MAX_MARKED_CHARACTERS;
}
