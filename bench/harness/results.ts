/**
 * Owns what the bench writes: results.json, RESULTS.md and the charts, all in one folder.
 *
 * **Invariants**
 * - A scenario that was not run keeps its last result.
 * - A figure is the median of the rounds, with (min … max) where there were several.
 * - Tables are padded, so that they read as well on a terminal.
 */
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { cpus, totalmem, type } from "node:os";
import { join } from "node:path";
import { drawChart } from "./chart.ts";
import { judge, type Comparison, type Finding, type Settings } from "./comparison.ts";
import { median } from "./stretch.ts";

/** One scenario's finding, and under which settings it was found. */
export interface Result {
  readonly name: string;
  readonly at: string;
  readonly settings: Pick<Settings, "rounds" | "seconds" | "isQuick">;
  readonly machine: Readonly<Record<"processors" | "memory" | "system" | "bun", string>>;
  readonly finding: Finding;
}

export function describeMachine(): Result["machine"] {
  const processors = `${cpus().length} × ${cpus()[0]?.model ?? "unknown"}`;
  return { processors, memory: `${Math.round(totalmem() / 2 ** 30)} GiB`, system: type(), bun: Bun.version };
}

/** Adds results to those in the folder. */
export async function writeResults(folder: string, results: readonly Result[]): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, "results.json");
  const before = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Result[]) : [];
  const all = [...new Map([...before, ...results].map((result) => [result.name, result])).values()];
  const judged = all.map((result) => ({ ...result, verdicts: result.finding.comparisons.flatMap(judge) }));
  await Bun.write(file, `${JSON.stringify(judged, null, 2)}\n`);
  await Bun.write(join(folder, "RESULTS.md"), describeResults(all));
  for (const comparison of results.flatMap(({ finding }) => finding.comparisons)) {
    for (const chart of comparison.charts) await Bun.write(join(folder, chart.file), drawChart(chart, comparison));
  }
}

function describeResults(results: readonly Result[]): string {
  const parts = results.flatMap((result) => {
    const charts = result.finding.comparisons.flatMap((comparison) => comparison.charts);
    const pictures = charts.map(({ file, title }) => `![${title}](${file})`);
    return [describeFinding(result.name, result.finding), describeRun(result), ...pictures];
  });
  const about = "Written by `bun run bench`. Figures are medians of the rounds, with (min … max).";
  return `${["# Results", about, ...parts].join("\n\n")}\n`;
}

function describeRun({ at, settings: { rounds, seconds, isQuick }, machine }: Result): string {
  const quick = isQuick ? " **Quick: small and short, no figures to go by.**" : "";
  const { processors, memory, system, bun } = machine;
  return `${at.slice(0, 10)}, ${rounds} rounds of ${seconds} s, on ${processors}, ${memory}, ${system}, Bun ${bun}.${quick}`;
}

/** A finding's comparisons, their goals and its remarks, as Markdown below a heading of the second level. */
export function describeFinding(name: string, { comparisons, remarks }: Finding): string {
  const parts = comparisons.flatMap((comparison) => [
    `### ${comparison.title}`,
    figureTable(comparison),
    ...(comparison.goals.length > 0 ? [goalTable(comparison)] : []),
  ]);
  const notes = remarks.map((remark) => `- ${remark}`).join("\n");
  return [`## ${name}`, ...parts, ...(notes ? [notes] : [])].join("\n\n");
}

function figureTable({ groupLabel, metrics, series }: Comparison): string {
  const rows = series.map(({ group, name, samples }) => {
    const valuesOf = (key: string): number[] => samples.map((sample) => sample[key] ?? NaN);
    return [group, name, ...metrics.map(({ key, digits }) => figure(valuesOf(key), digits))];
  });
  return table([[groupLabel, "", ...metrics.map(({ label }) => label)], ...rows]);
}

function goalTable(comparison: Comparison): string {
  const rows = judge(comparison).map(({ what, bound, values, isReached }) => {
    return [what, bound, figure(values, 2), isReached ? "yes" : "no"];
  });
  return table([["goal", "bound", "measured", "reached"], ...rows]);
}

/** `median (min … max)`; a dash where nothing was measured. */
function figure(values: readonly number[], digits: number): string {
  const middle = median(values);
  if (!Number.isFinite(middle)) return "-";
  const options = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  const text = (value: number): string => value.toLocaleString("en", options);
  const spread = ` (${text(Math.min(...values))} … ${text(Math.max(...values))})`;
  return values.length === 1 ? text(middle) : text(middle) + spread;
}

/** The first row is the head, the first column words, the others figures. */
function table(rows: readonly (readonly string[])[]): string {
  const [head = [], ...body] = rows;
  const widths = head.map((_, column) => Math.max(3, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]): string => {
    const [first = "", ...rest] = cells;
    const padded = rest.map((cell, index) => cell.padStart(widths[index + 1] ?? 0));
    return `| ${[first.padEnd(widths[0] ?? 0), ...padded].join(" | ")} |`;
  };
  const rule = widths.map((width, column) => (column < 1 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`));
  return [head, rule, ...body].map(line).join("\n");
}
