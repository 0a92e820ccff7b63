/**
 * Owns the memory of results that were worked out from a text, such as a header that thousands of requests share.
 *
 * **Invariants**
 * - The memory is bounded, in number and in length of texts.
 * - A flood of made-up texts is worked out anew each time.
 */

/** Longer texts are nothing that comes often. */
const MAX_TEXT_CHARACTERS = 256;

/**
 * Makes a function that answers as `read` does, and does not read the same text again. Beyond `maxTexts` texts it
 * begins anew.
 */
export function remember<Result>(read: (text: string) => Result, maxTexts: number): (text: string) => Result {
  const known = new Map<string, { readonly result: Result }>();
  return (text) => {
    const found = known.get(text);
    if (found) return found.result;
    const result = read(text);
    if (text.length > MAX_TEXT_CHARACTERS) return result;
    if (known.size >= maxTexts) known.clear();
    known.set(text, { result });
    return result;
  };
}
