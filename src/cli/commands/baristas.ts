/**
 * `longpour baristas`: a staff that takes the oldest order, brews and says that it is done.
 *
 * **Invariants**
 * - It ends with nothing in its hands: what is not finished is released.
 */
import type { Command } from "@commander-js/extra-typings";
import { Quota, workShifts } from "../barista.ts";
import type { ClientCertificate } from "../certificate.ts";
import { amount, seconds, server, staffToken, whole, type Values } from "../options.ts";
import { showProgress } from "../progress.ts";
import { addSimulator, summaryOf } from "../simulator.ts";
import { StaffTally } from "../staff-tally.ts";
import type { Terminal } from "../terminal.ts";

const spec = {
  staffUrl: server("http://127.0.0.1:8001", "where baristas work", {
    variable: "LONGPOUR_STAFF_URL",
    formerly: "url",
  }),
  token: staffToken(),
  baristas: whole({ fallback: 10, min: 1, max: 1000, help: "how many baristas, barista-1 and so on" }),
  brewMinSeconds: amount({ fallback: 30, min: 0, max: 86_400, help: "time to brew, at least" }),
  brewMaxSeconds: amount({ fallback: 60, min: 0, max: 86_400, help: "time to brew, at most" }),
  orders: whole({ fallback: 0, min: 0, max: 10_000_000, help: "end after so many; 0 = no limit" }),
  idleSeconds: amount({ fallback: 0, min: 0, max: 86_400, help: "end when no order came for so long; 0 = never" }),
  seconds: seconds(0),
};

export function addBaristas(program: Command, terminal: Terminal): void {
  addSimulator(program, terminal, {
    name: "baristas",
    about: "Baristas take the oldest order, brew for a while and finish it. On Ctrl-C they release what they hold.",
    examples: ["longpour baristas", "longpour baristas --baristas 3 --brew-min-seconds 1 --brew-max-seconds 2"],
    spec,
    server: ({ staffUrl: url }) => ({ url, named: "--staff-url" }),
    check: ({ brewMinSeconds, brewMaxSeconds }) =>
      brewMinSeconds > brewMaxSeconds ? "--brew-min-seconds must not be above --brew-max-seconds" : undefined,
    run: openShift,
  });
}

async function openShift(options: Values<typeof spec>, signal: AbortSignal, certificate?: ClientCertificate) {
  const tally = new StaffTally();
  const total = options.orders > 0 ? { total: () => options.orders } : {};
  const hide = showProgress([
    { name: "baristas", ...total, done: () => tally.handovers.finished, counters: () => tally.counters() },
  ]);
  const shift = {
    url: options.staffUrl,
    token: options.token,
    certificate,
    brewMinMs: options.brewMinSeconds * 1000,
    brewMaxMs: options.brewMaxSeconds * 1000,
    idleMs: options.idleSeconds > 0 ? options.idleSeconds * 1000 : Infinity,
    quota: new Quota(options.orders > 0 ? options.orders : Infinity),
    tally,
    signal,
  };
  await workShifts(options.baristas, shift);
  hide();
  return { lostNothing: tally.lostNothing, summaries: [summaryOf("baristas", tally)] };
}
