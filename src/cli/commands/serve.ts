/**
 * `longpour serve`: the server, with each of its settings as a flag, and simulated baristas beside it.
 *
 * **Invariants**
 * - The flags are the settings of `config.ts`, so a new setting is a flag at once.
 * - A flag wins over the environment. What is wrong with a value is said as of the setting.
 */
import { Option, type Command } from "@commander-js/extra-typings";
import { SETTINGS, type Setting } from "../../config.ts";
import type { Beside } from "../../main.ts";
import { ENDLESS, workShifts } from "../barista.ts";
import { readClientCertificate, type ClientCertificate } from "../certificate.ts";
import { createStop } from "../command.ts";
import { define, wholeReader } from "../define.ts";
import { StaffTally } from "../staff-tally.ts";
import type { Terminal } from "../terminal.ts";

/** Long enough to see an order brewing. */
const BREW_MS = { brewMinMs: 1000, brewMaxMs: 3000 };

export function addServe(program: Command, terminal: Terminal): void {
  const command = define(program, "serve", {
    about:
      "Runs the server until SIGTERM or Ctrl-C. Each setting is a flag and an environment variable; docs/operations.md says when to change one. Secrets are better in the environment, where no list of processes shows them.",
    examples: [
      "longpour serve",
      "longpour serve --customer-port 8080 --log-level debug --baristas 3",
      "REDIS_URL=redis://localhost:6379 longpour serve --shop bakery",
    ],
  }).option(
    "--baristas <n>",
    "simulated baristas beside it, who brew for 1 to 3 s",
    wholeReader({ min: 0, max: 1000 }),
    0,
  );
  for (const setting of SETTINGS) command.addOption(flagOf(setting));
  command.action(async ({ baristas, json }) => {
    const given: Readonly<Record<string, unknown>> = command.opts();
    const flags = SETTINGS.flatMap((setting) => {
      const value = given[flagOf(setting).attributeName()];
      return typeof value === "string" ? [[setting.name, value] as const] : [];
    });
    const environment = { ...terminal.environment, ...Object.fromEntries(flags) };
    const beside = baristas > 0 ? staffWith(baristas, readClientCertificate(terminal.environment)) : undefined;
    // Here: no other command needs the server.
    const { runServer } = await import("../../main.ts");
    await runServer(environment, { isJson: json === true, beside });
  });
}

function flagOf({ name, wanted, fallback }: Setting): Option {
  const flag = name.toLowerCase().replaceAll("_", "-");
  const notes = [fallback === "" ? undefined : fallback, name].filter((note) => note !== undefined).join("; ");
  return new Option(`--${flag} <value>`, `${wanted} (${notes})`);
}

/** So many baristas, who release what they hold when the server stops. */
function staffWith(count: number, certificate: ClientCertificate | undefined): Beside {
  return ({ baristas }, { staffToken = "" }) => {
    const stop = createStop();
    const shift = {
      ...ENDLESS,
      ...BREW_MS,
      url: new URL(baristas),
      token: staffToken,
      certificate,
      tally: new StaffTally(),
      signal: stop.signal,
    };
    const ended = workShifts(count, shift);
    return {
      end: async () => {
        stop.abort("done");
        await ended;
      },
    };
  };
}
