/**
 * Owns how a page gives its reader a file.
 *
 * **Invariants**
 * - What was held for it is let go of.
 */

/** Long enough for any browser to have begun. */
const KEPT_MS = 60_000;

export function saveFile(file: Blob, name: string): void {
  const url = URL.createObjectURL(file);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), KEPT_MS);
}
