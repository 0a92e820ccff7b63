/**
 * Owns the program that the doctor's tests run: `longpour doctor` alone, as a process of its own.
 */
import { Command, CommanderError } from "@commander-js/extra-typings";
import { addDoctor } from "../../src/cli/doctor/command.ts";

export interface SeenFinding {
  readonly check: string;
  readonly verdict: "ok" | "warning" | "fault" | "skipped";
  readonly measured: string;
  readonly advice?: string;
  readonly values?: Readonly<Record<string, unknown>>;
}

interface Ended {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts it with these arguments, in an environment of these settings alone. */
export function startDoctor(
  args: readonly string[],
  settings: Readonly<Record<string, string>> = {},
): { readonly pid: number; readonly ended: Promise<Ended> } {
  const child = Bun.spawn([process.execPath, import.meta.path, "doctor", ...args], {
    // No .env is read there.
    cwd: "/",
    env: { PATH: process.env.PATH, ...settings },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const ended = Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
  return { pid: child.pid, ended: ended.then(([exitCode, stdout, stderr]) => ({ exitCode, stdout, stderr })) };
}

/** Its findings, by `find` the one of a check, and its exit code. */
export async function diagnosed(...args: readonly string[]) {
  const { exitCode, stdout, stderr } = await startDoctor([...args, "--json"]).ended;
  if (!stdout.startsWith("{")) throw new Error(`the doctor printed no JSON: ${stderr}${stdout}`);
  const { verdict, findings } = JSON.parse(stdout) as { verdict: string; findings: SeenFinding[] };
  const find = (check: string): SeenFinding => {
    const finding = findings.find((one) => one.check === check);
    if (!finding) throw new Error(`the doctor said nothing of ${check}`);
    return finding;
  };
  return { exitCode, verdict, findings, find };
}

async function run(): Promise<void> {
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort()).once("SIGTERM", () => stop.abort());
  const program = new Command("longpour").exitOverride();
  addDoctor(program, {
    environment: {},
    print: (text) => process.stdout.write(`${text}\n`),
    untilStopped: () => stop.signal,
  });
  try {
    await program.parseAsync();
  } catch (error) {
    process.exitCode = error instanceof CommanderError ? error.exitCode && 2 : 1;
  }
}

if (import.meta.main) await run();
