/**
 * Owns what a command does with its process: arguments in, output, Ctrl-C, and the exit code out.
 *
 * **Invariants**
 * - 0 = done, 1 = it went wrong, 2 = wrong usage: one line on standard error says which.
 * - No other file of the command line touches the process.
 * - Nothing that a server said steers the terminal.
 */
import { setMaxListeners } from "node:events";
import { CommanderError, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { describeFailure, WrongUsage } from "./failure.ts";
import type { Terminal } from "./terminal.ts";

/** Why a run's signal was aborted. A customer who still waits when time is up was let down; after Ctrl-C none was. */
export type StopReason = "interrupted" | "time is up" | "done";

/** Runs the program from the command line to its exit code. */
export async function runProgram(createProgram: (terminal: Terminal) => CommandUnknownOpts): Promise<void> {
  const stop = listenForStop();
  const line = new StatusLine();
  const terminal: Terminal = {
    environment: process.env,
    print: (text) => {
      line.end();
      process.stdout.write(`${safe(text)}\n`);
    },
    note: (text) => {
      line.end();
      process.stderr.write(`${safe(text)}\n`);
    },
    status: (text) => line.show(safe(text)),
    untilStopped: stop.listen,
  };
  // Who reads no further, as `head`, ends the command.
  process.stdout.on("error", () => process.exit(1));
  let name = "longpour";
  try {
    const program = createProgram(terminal);
    program.hook("preAction", (_program, command) => {
      name = `longpour ${command.name()}`;
    });
    await program.parseAsync(process.argv);
  } catch (error) {
    if (!(error instanceof CommanderError)) terminal.note(`${name}: ${describeFailure(error)}`);
    process.exitCode = codeOf(error);
  } finally {
    line.end();
    stop.forget();
  }
}

/** Text without what would steer a terminal: it holds words of others. JSON stays what it was. */
function safe(text: string): string {
  return text.replaceAll(/[^\P{Cc}\n\t]/gu, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

/** Help that was asked for is no fault. */
function codeOf(error: unknown): number {
  if (!(error instanceof CommanderError)) return error instanceof WrongUsage ? 2 : 1;
  return error.exitCode === 0 ? 0 : 2;
}

/** The last line on standard error, which may be written anew. */
class StatusLine {
  #isOpen = false;

  show(text: string): void {
    if (!process.stderr.isTTY) {
      process.stderr.write(`${text}\n`);
      return;
    }
    const room = (process.stderr.columns || 80) - 1;
    process.stderr.write(`\r\u001B[K${text.slice(0, room)}`);
    this.#isOpen = true;
  }

  end(): void {
    if (this.#isOpen) process.stderr.write("\n");
    this.#isOpen = false;
  }
}

/** A signal that may have thousands of listeners: one a customer. */
export function createStop(): { signal: AbortSignal; abort: (reason: StopReason) => void } {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return { signal: controller.signal, abort: (reason) => controller.abort(reason) };
}

/** Aborts on the first Ctrl-C or SIGTERM since it was asked to listen. */
function listenForStop(): { listen: () => AbortSignal; forget: () => void } {
  const { signal, abort } = createStop();
  const forget = (): void => {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
  };
  const interrupt = (): void => {
    abort("interrupted");
    forget();
  };
  const listen = (): AbortSignal => {
    forget();
    if (!signal.aborted) process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
    return signal;
  };
  return { listen, forget };
}
