/**
 * Owns the tables: Markdown, padded so that they read as well on a terminal.
 *
 * **Invariants**
 * - A figure is the median of the rounds, with (min … max) where there were several.
 */
import { judge, type Comparison, type Finding } from "./comparison.ts";
import { median } from "./statistics.ts";

/** A finding's comparisons, their goals and its remarks, as Markdown below a heading of the second level. */
export function describeFinding(name: string, { comparisons, remarks }: Finding): string {
  const parts = comparisons.map((comparison) => {
    const goals = goalTable(comparison);
    return `### ${comparison.title}\n\n${figureTable(comparison)}${goals && `\n\n${goals}`}`;
  });
  const notes = remarks.map((remark) => `- ${remark}`).join("\n");
  return [`## ${name}`, ...parts, ...(notes ? [notes] : [])].join("\n\n");
}

function figureTable({ groupLabel, metrics, series }: Comparison): string {
  const head = [groupLabel, "", ...metrics.map(({ label }) => label)];
  const rows = series.map(({ group, name, samples }) => {
    const cells = metrics.map(({ key, digits }) =>
      figure(
        samples.map((sample) => sample[key] ?? NaN),
        digits,
      ),
    );
    return [group, name, ...cells];
  });
  return table(head, rows);
}

/** Empty without goals. */
function goalTable(comparison: Comparison): string {
  const verdicts = judge(comparison);
  if (verdicts.length === 0) return "";
  const rows = verdicts.map(({ what, bound, values, isReached }) => {
    return [what, bound, figure(values, 2), isReached ? "yes" : "no"];
  });
  return table(["goal", "bound", "measured", "reached"], rows);
}

/** `median (min … max)`; a dash where nothing was measured. */
function figure(values: readonly number[], digits: number): string {
  const middle = median(values);
  if (!Number.isFinite(middle)) return "-";
  const text = (value: number): string => value.toLocaleString("en", options(digits));
  return values.length === 1
    ? text(middle)
    : `${text(middle)} (${text(Math.min(...values))} … ${text(Math.max(...values))})`;
}

function options(digits: number): Intl.NumberFormatOptions {
  return { minimumFractionDigits: digits, maximumFractionDigits: digits };
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((_, column) => Math.max(3, ...[head, ...rows].map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]): string => {
    const padded = cells.map((cell, column) =>
      column < 1 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
    );
    return `| ${padded.join(" | ")} |`;
  };
  const rule = widths.map((width, column) => (column < 1 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`));
  return [line(head), line(rule), ...rows.map(line)].join("\n");
}
