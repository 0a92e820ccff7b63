/** Owns what the bench writes: results.json, RESULTS.md and the charts, all in one folder. */
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { cpus, totalmem, type } from "node:os";
import { join } from "node:path";
import { drawChart } from "./chart.ts";
import { judge, type Finding, type Settings } from "./comparison.ts";
import { describeFinding } from "./table.ts";

/** One scenario's finding, and under which settings it was found. */
export interface Result {
  readonly name: string;
  readonly at: string;
  readonly settings: Pick<Settings, "rounds" | "seconds" | "isQuick">;
  readonly machine: Machine;
  readonly finding: Finding;
}

interface Machine {
  readonly processors: string;
  readonly memory: string;
  readonly system: string;
  readonly bun: string;
}

export function describeMachine(): Machine {
  const [first] = cpus();
  return {
    processors: `${cpus().length} × ${first?.model ?? "unknown"}`,
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    system: type(),
    bun: Bun.version,
  };
}

/** Adds results to those in the folder: a scenario that was not run keeps its last one. */
export async function writeResults(folder: string, results: readonly Result[]): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, "results.json");
  const before = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Result[]) : [];
  const byName = new Map([...before, ...results].map((result) => [result.name, result]));
  const all = [...byName.values()];
  await Bun.write(file, `${JSON.stringify(all.map(withVerdicts), null, 2)}\n`);
  await Bun.write(join(folder, "RESULTS.md"), describeResults(all));
  for (const { finding } of results) {
    for (const comparison of finding.comparisons) {
      for (const chart of comparison.charts) await Bun.write(join(folder, chart.file), drawChart(chart, comparison));
    }
  }
}

function withVerdicts(result: Result): unknown {
  return { ...result, verdicts: result.finding.comparisons.flatMap((comparison) => judge(comparison)) };
}

function describeResults(results: readonly Result[]): string {
  const parts = results.map((result) => {
    const charts = result.finding.comparisons.flatMap((comparison) => comparison.charts);
    const pictures = charts.map(({ file, title }) => `![${title}](${file})`).join("\n\n");
    return [describeFinding(result.name, result.finding), describeRun(result), ...(pictures ? [pictures] : [])].join(
      "\n\n",
    );
  });
  return `# Results\n\nWritten by \`bun run bench\`. Figures are medians of the rounds, with (min … max).\n\n${parts.join("\n\n")}\n`;
}

function describeRun({ at, settings: { rounds, seconds, isQuick }, machine }: Result): string {
  const quick = isQuick ? " **Quick: small and short, no figures to go by.**" : "";
  const { processors, memory, system, bun } = machine;
  return `${at.slice(0, 10)}, ${rounds} rounds of ${seconds} s, on ${processors}, ${memory}, ${system}, Bun ${bun}.${quick}`;
}
