/**
 * Owns what `longpour` exports: a server inside another program, and machines.
 *
 * **Invariants**
 * - Several servers run in one process, and nothing of the process is touched.
 * - A server that can't start rejects with a StartError, whose message says what to do.
 */
import { isSettingName, readConfig, secretsIn, type SettingName } from "./config.ts";
import { logFailures, StartError } from "./lifecycle.ts";
import { createLogTo, type LogTarget } from "./log.ts";
import type { Machine } from "./machines/machine.ts";
import { createServer as startServer, type RunningServer } from "./server.ts";

export { Type, type Static } from "@sinclair/typebox";
export { defineMachine, type Machine, type MachineOptions, type MakeContext } from "./machines/machine.ts";
export { RetryLater } from "./machines/retry-later.ts";
export { StartError };
export type { LogTarget, RunningServer, SettingName };

/** Settings by their names in the environment, such as `{ CUSTOMER_PORT: 0 }`. What is absent has its default. */
export type Settings = { readonly [Name in SettingName]?: string | number | undefined };

export interface ServerOptions {
  readonly settings?: Settings | undefined;
  /** Those that run in this server, beside those of the setting MACHINES. */
  readonly machines?: readonly Machine[] | undefined;
  /** Takes the server's lines from LOG_LEVEL up, as `console` or a logger of pino does. Absent: they go nowhere. */
  readonly log?: LogTarget | undefined;
  /** Called once a newer version has taken over the shop's data: the server stops by itself. */
  readonly superseded?: (() => void) | undefined;
}

/** Starts a server on both ports. The environment does not count: only `settings` do. */
export async function createServer(options: ServerOptions = {}): Promise<RunningServer> {
  const { settings = {}, machines, log: target = NOWHERE } = options;
  const environment = readSettings(settings);
  const config = readConfig(environment);
  const log = createLogTo(target, { level: config.logLevel, secrets: secretsIn(environment) });
  const superseded = Promise.withResolvers<void>();
  const server = await startServer(config, { log, machines, superseded: superseded.resolve });
  const giveWay = async (): Promise<void> => {
    await superseded.promise;
    try {
      options.superseded?.();
    } catch (error) {
      log.error({ err: error }, "the callback of a takeover threw: the server stops all the same");
    }
    logFailures(log, await server.stop());
  };
  void giveWay();
  return server;
}

const NOWHERE: LogTarget = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** As the environment would spell them. Throws a StartError for a name that is none. */
function readSettings(settings: Settings): Readonly<Record<string, string>> {
  const given = Object.entries(settings).filter(([, value]) => value !== undefined);
  const unknown = given.map(([name]) => name).filter((name) => !isSettingName(name));
  if (unknown.length > 0) throw new StartError(`no such setting: ${unknown.join(", ")}`, 2);
  return Object.fromEntries(given.map(([name, value]) => [name, String(value)]));
}
