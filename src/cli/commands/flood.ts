/**
 * `longpour flood`: the delusional customer orders thousands at once from one address, while regulars order one each
 * from others.
 *
 * **Invariants**
 * - The flood is bounded in count and time, and goes to this machine only.
 * - It never asks twice, and ends with the last regular.
 */
import type { Command } from "@commander-js/extra-typings";
import { between, pause } from "../../pause.ts";
import { isOurs, loopbackAddresses } from "../addresses.ts";
import { ENDLESS, workShifts, type Shift } from "../barista.ts";
import type { ClientCertificate } from "../certificate.ts";
import { createStop } from "../command.ts";
import { visit } from "../customer.ts";
import { address, seconds, server, staffToken, whole, type Values } from "../options.ts";
import { showProgress } from "../progress.ts";
import { addSimulator, summaryOf } from "../simulator.ts";
import { StaffTally } from "../staff-tally.ts";
import { CustomerTally } from "../tally.ts";
import type { Terminal } from "../terminal.ts";

/** The regulars come in over this long, once the flood is on its way. */
const ARRIVE_WITHIN_MS = 1000;

const spec = {
  url: server("http://127.0.0.1:8000", "where customers order, on this machine", { variable: "LONGPOUR_URL" }),
  orders: whole({ fallback: 3000, min: 1, max: 20_000, help: "orders of the delusional customer" }),
  from: address("127.0.0.1", "where they come from"),
  regulars: whole({ fallback: 50, min: 1, max: 1000, help: "regulars, each from another address: 127.0.0.2 and up" }),
  baristas: whole({
    fallback: 10,
    min: 0,
    max: 1000,
    help: "baristas who brew in no time; 0 leaves it to longpour baristas",
  }),
  staffUrl: server("http://127.0.0.1:8001", "where these baristas work", { variable: "LONGPOUR_STAFF_URL" }),
  token: staffToken(),
  seconds: seconds(60),
};

export function addFlood(program: Command, terminal: Terminal): void {
  addSimulator(program, terminal, {
    name: "flood",
    about:
      "One address orders thousands at once. It hangs up when the regulars, who come from other addresses, are served.",
    examples: ["longpour flood", "longpour flood --orders 1000 --regulars 20 --json"],
    spec,
    server: ({ url }) => ({ url, named: "--url" }),
    check: checkAddresses,
    run: flood,
  });
}

async function flood(options: Values<typeof spec>, signal: AbortSignal, certificate?: ClientCertificate) {
  const answeredTo = new Map<string, string>();
  const tallies = {
    regulars: new CustomerTally(answeredTo),
    delusional: new CustomerTally(answeredTo),
    staff: new StaffTally(),
  };
  const hide = showProgress(linesOf(tallies));
  const closing = createStop();
  const others = [
    orderThousands(options, tallies.delusional, closing.signal),
    staffShop({ ...options, certificate }, tallies.staff, closing.signal),
  ];
  await serveRegulars(options, tallies.regulars, signal);
  closing.abort("done");
  await Promise.all(others);
  hide();
  const { regulars, delusional, staff } = tallies;
  return {
    // What the delusional customer did not get is no loss; what was answered still has to be right.
    lostNothing: regulars.mistakes + regulars.endings.lost + delusional.mistakes === 0 && staff.lostNothing,
    summaries: [
      summaryOf("regulars", regulars),
      summaryOf("the delusional customer", delusional),
      ...(options.baristas > 0 ? [summaryOf("baristas", staff)] : []),
    ],
  };
}

async function orderThousands(
  { url, orders, from }: Values<typeof spec>,
  tally: CustomerTally,
  signal: AbortSignal,
): Promise<void> {
  const names = Array.from({ length: orders }, (_, index) => `delusional-${index + 1}`);
  await Promise.all(names.map((name) => visit({ url, name, localAddress: from, patient: false, tally, signal })));
}

async function serveRegulars(options: Values<typeof spec>, tally: CustomerTally, signal: AbortSignal): Promise<void> {
  const visits = loopbackAddresses(options.regulars, options.from).map(async (localAddress, index) => {
    await pause(between(0, ARRIVE_WITHIN_MS), signal);
    await visit({
      url: options.url,
      name: `regular-${index + 1}`,
      localAddress,
      patient: true,
      tally,
      signal,
    });
  });
  await Promise.all(visits);
}

async function staffShop(
  { staffUrl: url, token, baristas, certificate }: Values<typeof spec> & Pick<Shift, "certificate">,
  tally: StaffTally,
  signal: AbortSignal,
): Promise<void> {
  const brewing = { brewMinMs: 0, brewMaxMs: 0 };
  await workShifts(baristas, { ...ENDLESS, ...brewing, url, token, certificate, tally, signal });
}

async function checkAddresses(options: Values<typeof spec>): Promise<string | undefined> {
  if (!/^(localhost|127(\.\d+){3})$/.test(options.url.hostname)) return "--url must be on this machine, at 127.0.0.1";
  for (const one of [options.from, ...loopbackAddresses(options.regulars, options.from)]) {
    if (!(await isOurs(one))) return `this machine can't call from ${one}; Linux can from all of 127.0.0.0/8`;
  }
  return undefined;
}

function linesOf({
  regulars,
  delusional,
  staff,
}: {
  regulars: CustomerTally;
  delusional: CustomerTally;
  staff: StaffTally;
}) {
  const guests = (name: string, tally: CustomerTally) => ({
    name,
    total: () => tally.arrived,
    done: () => tally.ended,
    counters: () => tally.counters(),
  });
  const baristas = { name: "baristas", done: () => staff.handovers.finished, counters: () => staff.counters() };
  return [guests("regulars", regulars), guests("flood", delusional), baristas];
}
