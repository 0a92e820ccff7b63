/**
 * `longpour work`: any program as a barista.
 *
 * **Invariants**
 * - An order that was taken ends as the program did, or is given back; no program outlives the command.
 */
import type { Command } from "@commander-js/extra-typings";
import { RetryLater, work, type Ending, type Order } from "../../client/index.ts";
import { runChild, type Ran } from "../child.ts";
import { define, readSpanMs, wholeReader } from "../define.ts";
import { WrongUsage } from "../failure.ts";
import { clientOptions, reach, staffPort, staffTokenOption, staffUrlOption } from "../server.ts";
import type { Terminal } from "../terminal.ts";
import { nameOrder } from "../words.ts";
import { taker } from "./staff.ts";

/** A program that asks to be run later comes back after so long. */
const LATER_SECONDS = 10;

export function addWork(program: Command, terminal: Terminal): void {
  define(program, "work", {
    about:
      "Runs a program for each order of a queue, until Ctrl-C. It reads the input as JSON (of a drink: the order) on standard input. What it prints is the result: JSON, or a text. Another exit code than 0 fails the order with the last line of standard error; 75 has it tried again in 10 s. LONGPOUR_ORDER_ID names the order.",
    examples: [
      "longpour work thumbs -- ./make-thumb.sh",
      "longpour work work --concurrency 4 -- jq '[range(.add_up_to + 1)] | add'",
    ],
  })
    .argument("<queue>", "the queue's name")
    .argument("<program...>", "the program and its arguments, after --")
    .option("--concurrency <n>", "how many run at once", wholeReader({ min: 1, max: 1000 }), 1)
    .option("--drain <time>", "how long they may go on after Ctrl-C; then their orders are given back", readSpanMs, 0)
    .addOption(taker())
    .addOption(staffUrlOption())
    .addOption(staffTokenOption())
    .action(async (queue, command, { concurrency, drain, barista, json = false, ...where }) => {
      if (Bun.which(command[0] ?? "") === null) throw new WrongUsage(`there is no program ${command[0]}`);
      const programs = new Programs(command, terminal);
      const signal = terminal.untilStopped();
      const patient = clientOptions(staffPort(where), terminal, { isPatient: true });
      await reach(patient, signal);
      try {
        await work(queue, (input, { order, signal: gone }) => programs.make(order, input, gone), {
          ...patient,
          barista,
          concurrency,
          drainSeconds: drain / 1000,
          signal,
          onEnded: (order, ending) => terminal.print(json ? jsonOf(order, ending) : lineOf(order, ending)),
        });
      } finally {
        await programs.ended();
      }
    });
}

function jsonOf({ order_id }: Order, ending: Ending): string {
  return JSON.stringify({ order_id, ending });
}

function lineOf(order: Order, ending: Ending): string {
  return `${order.order_id}  ${nameOrder(order)}: ${ending}`;
}

/** The programs that run. */
class Programs {
  readonly #command: readonly string[];
  readonly #terminal: Terminal;
  readonly #running = new Set<Promise<Ran>>();

  constructor(command: readonly string[], terminal: Terminal) {
    this.#command = command;
    this.#terminal = terminal;
  }

  /** Resolves to the result. Throws what fails the order, or has it tried again. */
  async make(order: Order, input: unknown, signal: AbortSignal): Promise<unknown> {
    const { environment } = this.#terminal;
    const own = { LONGPOUR_ORDER_ID: order.order_id, LONGPOUR_QUEUE: order.queue, TRACEPARENT: order.traceparent };
    const program = {
      command: this.#command,
      environment: { ...environment, ...own },
      onLine: (line: string) => this.#terminal.note(line),
    };
    const running = runChild(program, order.queue === undefined ? order : input, signal);
    this.#running.add(running);
    try {
      const ran = await running;
      if (ran.kind === "done") return ran.result;
      throw ran.kind === "later" ? new RetryLater(LATER_SECONDS, ran.why) : new Error(ran.why);
    } finally {
      this.#running.delete(running);
    }
  }

  /** Resolves once none runs any more: those whose orders are gone are being ended. */
  async ended(): Promise<void> {
    await Promise.allSettled(this.#running);
  }
}
