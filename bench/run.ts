/**
 * `bun run bench`: measures Longpour beside what a user would take instead, and writes tables, JSON and charts.
 *
 * **Invariants**
 * - All load stays on this machine, is bounded in count and time, and every run is checked for exact delivery.
 */
import { join } from "node:path";
import { SingleBar } from "cli-progress";
import { amount, onOff, readOptions, usage, whole, type Values } from "../src/cli/options.ts";
import type { Finding, Settings } from "./harness/comparison.ts";
import { messageOf } from "./harness/crew.ts";
import { describeFinding, describeMachine, writeResults } from "./harness/results.ts";
import { cycle, long, replicas } from "./scenarios/cycle.ts";
import { flood } from "./scenarios/flood.ts";
import { growth } from "./scenarios/growth.ts";
import { hold } from "./scenarios/hold.ts";
import { leaks } from "./scenarios/leaks.ts";
import { listening } from "./scenarios/listeners.ts";
import { machine } from "./scenarios/machine.ts";
import { watched } from "./scenarios/watched.ts";

const SCENARIOS = { cycle, long, machine, hold, listeners: listening, growth, flood, replicas, watched, leaks };
const scenarios = new Map<string, (settings: Settings) => Promise<Finding>>(Object.entries(SCENARIOS));
const names = [...scenarios.keys()].join(",");

const spec = {
  only: {
    help: "only these scenarios",
    fallback: names,
    expects: `some of ${names}`,
    read: (text: string) => (text.split(",").every((name) => scenarios.has(name)) ? text.split(",") : undefined),
  },
  rounds: whole({ fallback: 0, min: 0, max: 100, help: "how often each variant is measured; 0 = 5, quick 1" }),
  seconds: amount({ fallback: 0, min: 0, max: 600, help: "how long; 0 = 10, quick 1" }),
  quick: onOff("everything small and short, only to see that it works"),
  out: {
    help: "where to write",
    fallback: join(import.meta.dir, "results"),
    expects: "a folder",
    read: (text: string) => text || undefined,
  },
};

async function runScenario(name: string, { out, rounds, seconds, quick }: Values<typeof spec>): Promise<void> {
  const settings = { rounds: rounds || (quick ? 1 : 5), seconds: seconds || (quick ? 1 : 10), isQuick: quick };
  const format = `${name}  [{bar}] {value}/{total}  {duration_formatted}  {text}`;
  const plain = { noTTYOutput: true, notTTYSchedule: 10_000 };
  const bar = new SingleBar({ format, barsize: 20, gracefulExit: false, hideCursor: true, ...plain });
  bar.start(1, 0, { text: "" });
  const onRun: Settings["onRun"] = ({ text, index, total }) => {
    bar.setTotal(total);
    bar.update(index, { text });
  };
  const finding = await scenarios
    .get(name)?.({ ...settings, onRun })
    .finally(() => bar.stop());
  if (!finding) return;
  await writeResults(out, [{ name, at: new Date().toISOString(), settings, machine: describeMachine(), finding }]);
  console.log(`\n${describeFinding(name, finding)}\n`);
}

/** Runs the scenarios; one that fails keeps none of the others from running. Resolves to the exit code. */
async function bench(options: Values<typeof spec>): Promise<number> {
  let exitCode = 0;
  for (const name of options.only) {
    await runScenario(name, options).catch((error: unknown) => {
      exitCode = 1;
      console.error(`\n${name} failed: ${messageOf(error)}\n`);
    });
  }
  return exitCode;
}

const parsed = readOptions(spec, process.argv.slice(2));
if (parsed.kind === "values") process.exit(await bench(parsed.values));
if (parsed.kind === "fault") {
  process.stderr.write(`bench: ${parsed.message}; --help lists the options\n`);
  process.exitCode = 2;
} else {
  const about = "Measures Longpour beside its peers, in turn, and writes tables, JSON and SVG charts.";
  const codes = "Exit codes: 0 all runs delivered exactly, 1 one did not or failed, 2 wrong arguments.";
  process.stdout.write(`bun run bench [options]\n\n${about}\n\n${usage(spec)}\n\n${codes}\n`);
}
