/**
 * Owns how tests run the command line: as a process of its own, with no settings of this machine.
 *
 * **Invariants**
 * - A command that was begun is gone when the process ends.
 */
import { join } from "node:path";
import { until } from "../support/until.ts";

const PROGRAM = join(import.meta.dir, "../../src/cli/longpour.ts");

export interface Ran {
  /** Null when a signal ended it. */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly pid: number;
  /** What it printed so far, on both outputs. */
  readonly said: () => string;
  readonly kill: (signal: NodeJS.Signals) => void;
  readonly ended: Promise<Ran>;
}

const running = new Set<Bun.Subprocess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Begins a command; `environment` is all that it has. */
export function begin(argv: readonly string[], environment: Readonly<Record<string, string>> = {}): Running {
  const child = Bun.spawn([process.execPath, PROGRAM, ...argv], {
    env: { PATH: process.env.PATH, USER: "tests", ...environment },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  running.add(child);
  const output = { stdout: "", stderr: "" };
  const read = async (name: keyof typeof output): Promise<void> => {
    const decoder = new TextDecoder();
    for await (const chunk of child[name]) output[name] += decoder.decode(chunk, { stream: true });
  };
  const end = async (): Promise<Ran> => {
    await Promise.all([read("stdout"), read("stderr"), child.exited]);
    running.delete(child);
    return { exitCode: child.exitCode, ...output };
  };
  const said = (): string => output.stdout + output.stderr;
  return { pid: child.pid, said, kill: (signal) => child.kill(signal), ended: end() };
}

/** Runs a command to its end. */
export function run(...argv: readonly string[]): Promise<Ran> {
  return begin(argv).ended;
}

/** Waits until a command that runs has said this. */
export async function untilSaid({ said, ended }: Running, words: string | RegExp): Promise<void> {
  let isOver = false;
  void ended.then(() => (isOver = true));
  const isSaid = (): boolean => (typeof words === "string" ? said().includes(words) : words.test(said()));
  await until(() => isSaid() || isOver, `the command says ${String(words)}`);
  if (!isSaid()) throw new Error(`it ended and never said ${String(words)}: ${said()}`);
}
