/**
 * Owns the text at the end of a run.
 *
 * **Invariants**
 * - Quantiles are exact, taken from the whole sample by nearest rank.
 * - Waits are shown in seconds.
 */

export type Row = readonly [label: string, value: number | string];

/**
 * The smallest value that at least the share `q` (0 to 1) of `sample` does not exceed; undefined when there is none.
 */
export function quantile(sample: readonly number[], q: number): number | undefined {
  const sorted = sample.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)];
}

const SHARES = { median: 0.5, p99: 0.99, max: 1 };

/** The same as `formatWaits` says, as numbers in seconds; null when no customer waited. */
export function waitFigures(sampleMs: readonly number[]): Record<string, number> | null {
  const figures = Object.entries(SHARES).map(([name, q]): [string, number] => [
    name,
    (quantile(sampleMs, q) ?? 0) / 1000,
  ]);
  return sampleMs.length === 0 ? null : Object.fromEntries(figures);
}

/** `median 31.2 s, p99 58.0 s, max 61.1 s` of milliseconds; `-` when no customer waited. */
export function formatWaits(sampleMs: readonly number[]): string {
  const parts = Object.entries(SHARES).map(([name, q]) => `${name} ${formatSeconds(quantile(sampleMs, q))}`);
  return sampleMs.length === 0 ? "-" : parts.join(", ");
}

/** A title and its rows, in two columns. */
export function formatSummary(title: string, rows: readonly Row[]): string {
  const width = Math.max(0, ...rows.map(([label]) => label.length));
  return [title, ...rows.map(([label, value]) => `  ${label.padEnd(width)}  ${value}`)].join("\n");
}

function formatSeconds(ms = 0): string {
  return ms < 1000 ? `${(ms / 1000).toFixed(3)} s` : `${(ms / 1000).toFixed(1)} s`;
}
