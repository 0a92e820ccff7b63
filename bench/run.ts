/**
 * `bun run bench`: measures Longpour beside what a user would take instead, and writes tables, JSON and charts.
 *
 * **Invariants**
 * - All load stays on this machine, is bounded in count and time, and every run is checked for exact delivery.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { SingleBar } from "cli-progress";
import type { Finding, Settings } from "./harness/comparison.ts";
import { messageOf } from "./harness/crew.ts";
import { describeFinding, describeMachine, writeResults } from "./harness/results.ts";
import { cycle, long, replicas } from "./scenarios/cycle.ts";
import { flood } from "./scenarios/flood.ts";
import { growth } from "./scenarios/growth.ts";
import { hold } from "./scenarios/hold.ts";
import { leaks } from "./scenarios/leaks.ts";
import { listening } from "./scenarios/listeners.ts";

type Scenario = (settings: Settings) => Promise<Finding>;

const SCENARIOS = new Map<string, Scenario>(
  Object.entries({ cycle, long, hold, listeners: listening, growth, flood, replicas, leaks }),
);
const NAMES = [...SCENARIOS.keys()];

const USAGE = `bun run bench [options]

Measures Longpour beside its peers, in turn, and writes tables, JSON and SVG charts.

  --only cycle,hold   only these of ${NAMES.join(", ")}
  --rounds 5          how often each variant is measured
  --seconds 10        how long
  --quick             everything small and short, only to see that it works
  --out bench/results where to write

Exit codes: 0 all runs delivered exactly, 1 one did not or failed, 2 wrong arguments.
`;

interface Options extends Omit<Settings, "onRun"> {
  readonly names: readonly string[];
  readonly folder: string;
}

/** Undefined for --help. Throws what is wrong. */
function readOptions(): Options | undefined {
  const { values } = parseArgs({
    options: {
      only: { type: "string", default: NAMES.join(",") },
      rounds: { type: "string" },
      seconds: { type: "string" },
      quick: { type: "boolean", default: false },
      out: { type: "string", default: join(import.meta.dir, "results") },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return undefined;
  const names = values.only.split(",").filter(Boolean);
  const unknown = names.filter((name) => !SCENARIOS.has(name));
  if (unknown.length > 0) throw new Error(`there is no scenario ${unknown.join(", ")}`);
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 5));
  const seconds = Number(values.seconds ?? (values.quick ? 1 : 10));
  const isCount = Number.isInteger(rounds) && rounds >= 1 && rounds <= 100;
  if (!isCount) throw new Error("--rounds must be a whole number from 1 to 100");
  if (!(seconds > 0 && seconds <= 600)) throw new Error("--seconds must be a number up to 600");
  return { names, rounds, seconds, isQuick: values.quick, folder: values.out };
}

async function runScenario(name: string, { folder, rounds, seconds, isQuick }: Options): Promise<void> {
  const settings = { rounds, seconds, isQuick };
  const format = `${name}  [{bar}] {value}/{total}  {duration_formatted}  {text}`;
  const plain = { noTTYOutput: true, notTTYSchedule: 10_000 };
  const bar = new SingleBar({ format, barsize: 20, gracefulExit: false, hideCursor: true, ...plain });
  bar.start(1, 0, { text: "" });
  const onRun: Settings["onRun"] = ({ text, index, total }) => {
    bar.setTotal(total);
    bar.update(index, { text });
  };
  const finding = await SCENARIOS.get(name)?.({ ...settings, onRun }).finally(() => bar.stop());
  if (!finding) return;
  await writeResults(folder, [{ name, at: new Date().toISOString(), settings, machine: describeMachine(), finding }]);
  console.log(`\n${describeFinding(name, finding)}\n`);
}

/** Runs the scenarios; one that fails keeps none of the others from running. Resolves to whether none did. */
async function bench(options: Options): Promise<boolean> {
  let isClean = true;
  for (const name of options.names) {
    await runScenario(name, options).catch((error: unknown) => {
      isClean = false;
      console.error(`\n${name} failed: ${messageOf(error)}\n`);
    });
  }
  return isClean;
}

try {
  const options = readOptions();
  if (options) process.exit((await bench(options)) ? 0 : 1);
  process.stdout.write(USAGE);
} catch (error) {
  process.stderr.write(`bench: ${messageOf(error)}; --help lists the options\n`);
  process.exitCode = 2;
}
