/**
 * Owns how a simulator is a command: its table of options, its time limit, and its summary.
 *
 * **Invariants**
 * - Exit code 0 = nothing was lost, 1 = something was, or nothing answers at the address.
 * - A server that never answers counts as lost.
 */
import { Option as Flag, type Command } from "@commander-js/extra-typings";
import { createAsking } from "../client/ask.ts";
import { readClientCertificate, type ClientCertificate } from "./certificate.ts";
import { createStop } from "./command.ts";
import { define } from "./define.ts";
import { CommandFailed, WrongUsage } from "./failure.ts";
import { createFetch } from "./fetch.ts";
import { flag, readValues, type Given, type Option, type Spec, type Values } from "./options.ts";
import { sayNoServer } from "./server.ts";
import type { Terminal } from "./terminal.ts";

/** What came of a run: for people, and as figures. */
interface Summary {
  readonly title: string;
  readonly text: string;
  readonly figures: object;
}

/** What a tally says. */
export function summaryOf(title: string, tally: Tally): Summary {
  return { title, text: tally.summary(title), figures: tally.figures() };
}

interface Tally {
  summary(title: string): string;
  figures(): object;
}

interface Outcome {
  readonly lostNothing: boolean;
  readonly summaries: readonly Summary[];
}

interface Simulator<S extends Spec> {
  readonly name: string;
  readonly about: string;
  readonly examples: readonly [string, ...string[]];
  readonly spec: S;
  /** The server that has to be there, and the option that names it. */
  readonly server: (values: Values<S>) => { readonly url: URL; readonly named: string };
  /** What is wrong with the values taken together, in one line. */
  readonly check: (values: Values<S>) => string | undefined | Promise<string | undefined>;
  /** Has to end soon after `signal`. */
  readonly run: (values: Values<S>, signal: AbortSignal, certificate?: ClientCertificate) => Promise<Outcome>;
}

/** A server that is still starting is waited for, for so long. */
const START_TIMEOUT_MS = 5000;

/** Adds a simulator to the program. */
export function addSimulator<const S extends Spec & { readonly seconds: Option<number> }>(
  program: Command,
  terminal: Terminal,
  simulator: Simulator<S>,
): void {
  const command = define(program, simulator.name, simulator);
  for (const [name, option] of Object.entries<Option<unknown>>(simulator.spec)) command.addOption(flagOf(name, option));
  command.action(async () => {
    const options: Readonly<Record<string, unknown>> = command.opts();
    const values = await readAll(simulator, options, terminal);
    const { lostNothing, summaries } = await runInTime(simulator, values, terminal);
    if (options["json"] === true) {
      terminal.print(JSON.stringify(Object.fromEntries(summaries.map(({ title, figures }) => [title, figures]))));
    } else for (const { text } of summaries) terminal.print(text);
    if (!lostNothing) throw new CommandFailed("not all went well: the summary says what did not");
  });
}

function flagOf(name: string, { help, variable, fallback, isSwitch, formerly }: Option<unknown>): Flag {
  const flags = [...(formerly === undefined ? [] : [`--${formerly}`]), `--${flag(name)}`].join(", ");
  const notes = [fallback, variable].filter(Boolean).join(", else ");
  return new Flag(isSwitch ? flags : `${flags} <value>`, notes ? `${help} (${notes})` : help);
}

async function readAll<S extends Spec>(
  { spec, check }: Simulator<S>,
  options: Readonly<Record<string, unknown>>,
  { environment }: Terminal,
): Promise<Values<S>> {
  const given = Object.keys(spec).map((name) => [flag(name), options[name]]);
  const read = readValues(spec, Object.fromEntries(given) as Given, environment);
  const fault = read.kind === "fault" ? read.message : await check(read.values);
  if (read.kind === "fault" || fault !== undefined) throw new WrongUsage(fault);
  return read.values;
}

async function runInTime<S extends Spec & { readonly seconds: Option<number> }>(
  { run, server }: Simulator<S>,
  values: Values<S>,
  terminal: Terminal,
): Promise<Outcome> {
  const seconds = Number(values["seconds"]);
  const certificate = readClientCertificate(terminal.environment);
  const { signal, abort } = createStop();
  const interrupted = terminal.untilStopped();
  const interrupt = (): void => abort("interrupted");
  interrupted.addEventListener("abort", interrupt);
  const timer = seconds > 0 ? setTimeout(() => abort("time is up"), seconds * 1000) : undefined;
  try {
    const { url, named } = server(values);
    if (!(await isAnswering(url, signal, certificate)) && !signal.aborted) {
      throw new CommandFailed(sayNoServer({ url: url.origin, named }));
    }
    return await run(values, signal, certificate);
  } finally {
    clearTimeout(timer);
    interrupted.removeEventListener("abort", interrupt);
  }
}

/** Whether there is a server at all. Any answer counts, whatever its status: what it says is for the run to judge. */
async function isAnswering(url: URL, signal: AbortSignal, certificate?: ClientCertificate): Promise<boolean> {
  const timeLimit = AbortSignal.any([signal, AbortSignal.timeout(START_TIMEOUT_MS)]);
  const ask = createAsking({ url: url.origin, fetch: createFetch({ certificate }) });
  return await ask({ path: "/livez", signal: timeLimit }, () => ({ kind: "done", value: true })).catch(() => false);
}
