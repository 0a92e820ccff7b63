/**
 * Owns the generated part of docs/command-line.md: the commands, as the program lists them.
 *
 * **Invariants**
 * - A command of the program has a line, and no line stands for anything else.
 */
import { createProgram } from "../../src/cli/program.ts";

/** The program, for who only looks at it. */
export function lookAtProgram() {
  return createProgram({
    environment: {},
    print: () => {},
    note: () => {},
    status: () => {},
    untilStopped: () => new AbortController().signal,
  });
}

/** One block: a table for each group. */
export function renderCommands(): Map<string, string> {
  const groups = Map.groupBy(lookAtProgram().commands, (command) => command.helpGroup());
  const tables = Array.from(groups, ([group, commands]) => {
    const rows = commands.map((command) => {
      const given = command.registeredArguments.map((argument) => {
        const name = argument.name() + (argument.variadic ? "…" : "");
        return argument.required ? `<${name}>` : `[${name}]`;
      });
      return `| \`${["longpour", command.name(), ...given].join(" ")}\` | ${command.summary()} |`;
    });
    return [`| ${group.replace(/:$/, "")} | |`, "| --- | --- |", ...rows].join("\n");
  });
  return new Map([["commands", tables.join("\n\n")]]);
}
