/**
 * Owns the list of commands.
 *
 * **Invariants**
 * - Each command is a file of its own that adds itself.
 */
import { Command } from "@commander-js/extra-typings";
import { version } from "../version.ts";
import { addAcquirer } from "./commands/acquirer.ts";
import { addBaristas } from "./commands/baristas.ts";
import { addCustomers } from "./commands/customers.ts";
import { addDead, addRetry } from "./commands/dead.ts";
import { addFlood } from "./commands/flood.ts";
import { addCall, addOrder } from "./commands/order.ts";
import { addProduce } from "./commands/produce.ts";
import { addQueue, addSearch } from "./commands/queue.ts";
import { addRaw } from "./commands/raw.ts";
import { addReplay, addRules } from "./commands/rules.ts";
import { addServe } from "./commands/serve.ts";
import { addCancel, addShow } from "./commands/show.ts";
import { addFail, addFinish, addRelease, addStart } from "./commands/staff.ts";
import { addWork } from "./commands/work.ts";
import { addDoctor } from "./doctor/command.ts";
import { oneLineFaults, type AddCommand } from "./define.ts";
import type { Terminal } from "./terminal.ts";

/** By who needs them, in the order of the help. */
const GROUPS: Readonly<Record<string, readonly AddCommand[]>> = {
  "Run it:": [addServe, addAcquirer],
  "For customers:": [addOrder, addCall, addShow, addCancel],
  "For baristas:": [addStart, addFinish, addFail, addRelease, addWork, addQueue, addSearch, addDead, addRetry],
  "Look closer:": [addDoctor, addRules, addReplay, addRaw],
  "Make some traffic:": [addCustomers, addBaristas, addFlood, addProduce],
};

export function createProgram(terminal: Terminal): Command {
  const program = new Command("longpour")
    .description("An order server that holds an HTTP request open until the work is done.")
    .version(version)
    .addHelpText(
      "after",
      "\nlongpour COMMAND --help shows a command's options and examples.\nExit codes: 0 done, 1 it went wrong, 2 wrong usage.",
    );
  oneLineFaults(program, "longpour");
  for (const [group, commands] of Object.entries(GROUPS)) {
    program.commandsGroup(group);
    for (const add of commands) add(program, terminal);
  }
  return program;
}
