/**
 * Owns what a simulator does with its process: arguments in, Ctrl-C and the time limit, the exit code out.
 *
 * **Invariants**
 * - 0 = nothing was lost, 1 = something was, 2 = wrong arguments: one line on standard error says which.
 * - A server that never answers counts as lost.
 */
import { setMaxListeners } from "node:events";
import { createAsking } from "../client/ask.ts";
import { createFetch } from "./fetch.ts";
import { readOptions, usage, type Option, type Spec, type Values } from "./options.ts";

/** Why a run's signal was aborted. A customer who still waits when time is up was let down; after Ctrl-C none was. */
type StopReason = "interrupted" | "time is up" | "done";

type Command<S extends Spec> = {
  readonly name: string;
  readonly about: string;
  readonly spec: S;
  /** What is wrong with the values taken together, in one line. */
  readonly check: (values: Values<S>) => string | undefined | Promise<string | undefined>;
  /** Does the work and prints the summary; resolves to whether nothing was lost. Has to end soon after `signal`. */
  readonly run: (values: Values<S>, signal: AbortSignal) => Promise<boolean>;
};

/** A server that is still starting is waited for, for so long. */
const START_TIMEOUT_MS = 5000;

/** Runs one simulator from the command line to its exit code. */
export async function runCommand<const S extends Spec & { readonly seconds: Option<number> }>(
  command: Command<S>,
): Promise<void> {
  const parsed = readOptions(command.spec, process.argv.slice(2), process.env);
  if (parsed.kind === "help") return printHelp(command);
  const fault = parsed.kind === "fault" ? parsed.message : await command.check(parsed.values);
  if (fault !== undefined || parsed.kind === "fault") {
    process.stderr.write(`${command.name}: ${fault}; --help lists the options\n`);
    process.exitCode = 2;
    return;
  }
  const { seconds }: { readonly seconds: unknown } = parsed.values;
  const stop = listenForStop(Number(seconds));
  const url: unknown = parsed.values["url"];
  if (url instanceof URL && !(await isAnswering(url, stop.signal)) && !stop.signal.aborted) {
    process.stderr.write(
      `${command.name}: nothing answers at ${url.origin}: is the server running? --url names another\n`,
    );
    process.exitCode = 1;
  } else process.exitCode = (await command.run(parsed.values, stop.signal)) ? 0 : 1;
  stop.forget();
}

/** Whether there is a server at all. Any answer counts, whatever its status: what it says is for the run to judge. */
async function isAnswering(url: URL, signal: AbortSignal): Promise<boolean> {
  const timeLimit = AbortSignal.any([signal, AbortSignal.timeout(START_TIMEOUT_MS)]);
  const ask = createAsking({ url: url.origin, fetch: createFetch() });
  return await ask({ path: "/livez", signal: timeLimit }, () => ({ kind: "done", value: true })).catch(() => false);
}

/** A signal that may have thousands of listeners: one a customer. */
export function createStop(): { signal: AbortSignal; abort: (reason: StopReason) => void } {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return { signal: controller.signal, abort: (reason) => controller.abort(reason) };
}

/** Aborts on the first Ctrl-C or SIGTERM, or after `seconds` (0 = never). A second Ctrl-C ends the process as usual. */
function listenForStop(seconds: number): { signal: AbortSignal; forget: () => void } {
  const { signal, abort } = createStop();
  const timer = seconds > 0 ? setTimeout(() => abort("time is up"), seconds * 1000) : undefined;
  const forget = () => {
    clearTimeout(timer);
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
  };
  const interrupt = () => {
    abort("interrupted");
    forget();
  };
  process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
  return { signal, forget };
}

function printHelp({ name, about, spec }: { name: string; about: string; spec: Spec }): void {
  const codes = "Exit codes: 0 nothing was lost, 1 something was or nothing answers at the address, 2 wrong arguments.";
  process.stdout.write(`bun run ${name} [options]\n\n${about}\n\n${usage(spec)}\n\n${codes}\n`);
}
