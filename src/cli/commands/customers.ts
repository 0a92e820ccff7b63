/**
 * `longpour customers`: groups of customers who order at once and wait for their coffee.
 *
 * **Invariants**
 * - Groups arrive whether or not the last one was served.
 * - The run ends when all are.
 */
import type { Command } from "@commander-js/extra-typings";
import { between, pause } from "../../pause.ts";
import { visit } from "../customer.ts";
import { readMenu } from "../menu.ts";
import { amount, seconds, server, whole, type Values } from "../options.ts";
import { showProgress } from "../progress.ts";
import { addSimulator, summaryOf } from "../simulator.ts";
import { CustomerTally } from "../tally.ts";
import type { Terminal } from "../terminal.ts";

const spec = {
  url: server("http://127.0.0.1:8000", "where customers order", { variable: "LONGPOUR_URL" }),
  groups: whole({ fallback: 1, min: 1, max: 1000, help: "how many groups come" }),
  groupMin: whole({ fallback: 100, min: 1, max: 10_000, help: "customers in a group, at least" }),
  groupMax: whole({ fallback: 200, min: 1, max: 10_000, help: "customers in a group, at most" }),
  pauseSeconds: amount({ fallback: 60, min: 0, max: 86_400, help: "time between two groups" }),
  seconds: seconds(0),
};

export function addCustomers(program: Command, terminal: Terminal): void {
  addSimulator(program, terminal, {
    name: "customers",
    about:
      "Groups of customers order at once, and wait without a time limit. Who is turned away or loses the connection asks again.",
    examples: ["longpour customers", "longpour customers --groups 3 --group-min 10 --group-max 20 --json"],
    spec,
    server: ({ url }) => ({ url, named: "--url" }),
    check: ({ groupMin, groupMax }) => (groupMin > groupMax ? "--group-min must not be above --group-max" : undefined),
    run: welcomeGroups,
  });
}

async function welcomeGroups(options: Values<typeof spec>, signal: AbortSignal) {
  const tally = new CustomerTally();
  const hide = showProgress([
    { name: "customers", total: () => tally.arrived, done: () => tally.ended, counters: () => tally.counters() },
  ]);
  const menu = await readMenu(options.url, signal);
  const visits: Promise<void>[] = [];
  for (let group = 1; group <= options.groups && !signal.aborted; group++) {
    if (group > 1) await pause(options.pauseSeconds * 1000, signal);
    visits.push(...arrive({ ...options, group, menu, tally, signal }));
  }
  await Promise.all(visits);
  hide();
  return { lostNothing: tally.mistakes + tally.endings.lost === 0, summaries: [summaryOf("customers", tally)] };
}

interface Arrival extends Values<typeof spec> {
  readonly group: number;
  readonly menu: readonly string[];
  readonly tally: CustomerTally;
  readonly signal: AbortSignal;
}

/** One group, of a random size. */
function arrive({ url, groupMin, groupMax, group, menu, tally, signal }: Arrival): Promise<void>[] {
  const size = Math.floor(between(groupMin, groupMax + 1));
  return Array.from({ length: size }, (_, index) => {
    const item = menu[index % menu.length];
    return visit({ url, name: `customer-${group}-${index + 1}`, item, patient: true, tally, signal });
  });
}
