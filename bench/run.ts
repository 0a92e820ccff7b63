/**
 * `bun run bench`: measures Longpour beside what a user would take instead, and writes tables, JSON and charts.
 *
 * **Invariants**
 * - All load stays on this machine, is bounded in count and time, and every run is checked for exact delivery.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Finding, Settings } from "./harness/comparison.ts";
import { showProgress } from "./harness/progress.ts";
import { describeMachine, writeResults, type Result } from "./harness/results.ts";
import { describeFinding } from "./harness/table.ts";
import { cycle } from "./scenarios/cycle.ts";
import { flood } from "./scenarios/flood.ts";
import { growth } from "./scenarios/growth.ts";
import { hold } from "./scenarios/hold.ts";
import { leaks } from "./scenarios/leaks.ts";
import { listeners } from "./scenarios/listeners.ts";
import { long } from "./scenarios/long.ts";
import { replicas } from "./scenarios/replicas.ts";

type Scenario = (settings: Settings) => Promise<Finding>;

const SCENARIOS: Readonly<Record<string, Scenario>> = { cycle, long, hold, listeners, growth, flood, replicas, leaks };

const USAGE = `bun run bench [options]

Measures Longpour beside its peers, in turn, and writes tables, JSON and SVG charts.

  --only cycle,hold   only these of ${Object.keys(SCENARIOS).join(", ")}
  --rounds 5          how often each variant is measured
  --seconds 10        how long
  --quick             everything small and short, only to see that it works
  --out bench/results where to write

Exit codes: 0 all runs delivered exactly, 1 one did not or failed, 2 wrong arguments.
`;

interface Options {
  readonly names: readonly string[];
  readonly rounds: number;
  readonly seconds: number;
  readonly isQuick: boolean;
  readonly folder: string;
}

/** Undefined for --help; a text says what is wrong. */
function readOptions(): Options | string | undefined {
  const { values } = parseArgs({
    options: {
      only: { type: "string", default: Object.keys(SCENARIOS).join(",") },
      rounds: { type: "string" },
      seconds: { type: "string" },
      quick: { type: "boolean", default: false },
      out: { type: "string", default: join(import.meta.dir, "results") },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return undefined;
  const names = values.only.split(",").filter(Boolean);
  const unknown = names.filter((name) => !(name in SCENARIOS));
  if (unknown.length > 0) return `there is no scenario ${unknown.join(", ")}`;
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 5));
  const seconds = Number(values.seconds ?? (values.quick ? 1 : 10));
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 100) return "--rounds must be a whole number from 1 to 100";
  if (!(seconds > 0 && seconds <= 600)) return "--seconds must be a number up to 600";
  return { names, rounds, seconds, isQuick: values.quick, folder: values.out };
}

async function runScenario(name: string, { rounds, seconds, isQuick }: Options): Promise<Result> {
  const scenario = SCENARIOS[name];
  if (!scenario) throw new Error(`there is no scenario ${name}`);
  const progress = showProgress(name);
  try {
    const finding = await scenario({ rounds, seconds, isQuick, onRun: progress.onRun });
    const settings = { rounds, seconds, isQuick };
    return { name, at: new Date().toISOString(), settings, machine: describeMachine(), finding };
  } finally {
    progress.stop();
  }
}

/** Runs the scenarios; one that fails keeps none of the others from running. */
async function bench(options: Options): Promise<boolean> {
  let isClean = true;
  for (const name of options.names) {
    try {
      const result = await runScenario(name, options);
      await writeResults(options.folder, [result]);
      console.log(`\n${describeFinding(name, result.finding)}\n`);
    } catch (error) {
      isClean = false;
      console.error(`\n${name} failed: ${error instanceof Error ? error.message : String(error)}\n`);
    }
  }
  return isClean;
}

function readOptionsOrFault(): Options | string | undefined {
  try {
    return readOptions();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const options = readOptionsOrFault();
if (options === undefined) process.stdout.write(USAGE);
else if (typeof options === "string") {
  process.stderr.write(`bench: ${options}; --help lists the options\n`);
  process.exitCode = 2;
} else process.exit((await bench(options)) ? 0 : 1);
