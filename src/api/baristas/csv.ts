/**
 * Owns how rows are written as CSV (RFC 4180).
 *
 * **Invariants**
 * - No text is a formula to a spreadsheet: one that could be has an apostrophe before it.
 */
export type Cell = string | number | null | undefined;

/** One line, with its end. A number is never taken for a formula. */
export function toLine(cells: readonly Cell[]): string {
  return `${cells.map(quote).join()}\r\n`;
}

/** https://owasp.org/www-community/attacks/CSV_Injection */
function harmless(text: string): string {
  return /^[=+\-@\t\r\n]/.test(text) ? `'${text}` : text;
}

function quote(cell: Cell): string {
  const text = typeof cell === "string" ? harmless(cell) : String(cell ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** `name`: of the file, without its end. */
export function csvHeaders(name: string): Record<string, string> {
  return {
    "Content-Type": "text/csv; charset=utf-8; header=present",
    "Content-Disposition": `attachment; filename="${name}.csv"`,
    "Cache-Control": "no-store",
  };
}
