/**
 * Owns what all commands have in common: `--json`, help with examples, and one line for wrong usage.
 *
 * **Invariants**
 * - Wrong usage is one line on standard error, and exit code 2.
 */
import { InvalidArgumentError, type Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import type { Terminal } from "./terminal.ts";

/** Adds a command to the program. Each command of the command line is a function of this type. */
export type AddCommand = (program: Command, terminal: Terminal) => void;

interface About {
  readonly about: string;
  /** Whole lines that can be typed. */
  readonly examples: readonly [string, ...string[]];
}

/** Begins a command; its arguments, options and action follow. */
export function define(program: Command, name: string, { about, examples }: About) {
  const command = program
    .command(name)
    .description(about)
    .summary(about.replace(/[.:;] .*$/s, "").replace(/\.$/, ""))
    .option("--json", "print JSON on standard output, and nothing else there")
    .addHelpText("after", `\nExamples:\n${examples.map((line) => `  $ ${line}`).join("\n")}`);
  oneLineFaults(command, `longpour ${name}`);
  return command;
}

/** What commander says of wrong usage, in our words. */
export function oneLineFaults(command: CommandUnknownOpts, name: string): void {
  command.exitOverride().configureOutput({
    outputError: (text, write) => {
      const said = text
        .replace(/^error: /, "")
        .trim()
        .replaceAll(/\s*\n\s*/g, " ")
        .replace(/\.$/, "");
      write(`${name}: ${said}; --help lists the options\n`);
    },
  });
}

/** A reader of numbers from `min` to `max`. */
export function numberReader({ min, max }: { readonly min: number; readonly max: number }) {
  return (text: string): number => {
    const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
    if (!(value >= min && value <= max)) throw new InvalidArgumentError(`It must be a number from ${min} to ${max}.`);
    return value;
  };
}

/** A reader of whole numbers from `min` to `max`. */
export function wholeReader({ min, max }: { readonly min: number; readonly max: number }) {
  return (text: string): number => {
    const value = /^\d+$/.test(text) ? Number(text) : NaN;
    if (!(value >= min && value <= max)) {
      throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
    }
    return value;
  };
}

/** A reader of JSON. */
export function readJson(text: string): unknown {
  let isLost = false;
  const note = (_name: string, value: unknown): unknown => {
    isLost ||= typeof value === "number" && !Number.isFinite(value);
    return value;
  };
  const value = parseJson(text, note);
  // It would be sent as null.
  if (isLost) throw new InvalidArgumentError("It must have no number beyond 1.7e308.");
  return value;
}

function parseJson(text: string, note: (name: string, value: unknown) => unknown): unknown {
  try {
    return JSON.parse(text, note);
  } catch {
    throw new InvalidArgumentError(`It must be JSON: a text needs its quotes, as '"hello"'.`);
  }
}

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** A reader of spans, such as 500ms, 4s, 2m or 1h, as milliseconds. */
export function readSpanMs(text: string): number {
  const [, amount, unit = "s"] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text) ?? [];
  const ms = Number(amount) * (UNITS_MS[unit] ?? NaN);
  if (!(ms <= 86_400_000)) throw new InvalidArgumentError("It must be a time such as 500ms, 4s or 2m, at most 24h.");
  return ms;
}
