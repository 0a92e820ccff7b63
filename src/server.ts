/**
 * Owns what a server is made of: it opens all parts, puts them together, and closes them in turn.
 *
 * **Invariants**
 * - It either serves both ports, or has closed all that it had opened and throws.
 * - It touches nothing of the process: several can run in one.
 */
import type { Config } from "./config.ts";
import { Lifecycle, logFailures } from "./lifecycle.ts";
import type { Log } from "./log.ts";
import { declareMachineQueues } from "./machines/declare.ts";
import { gatherMachines } from "./machines/load.ts";
import type { Machine } from "./machines/machine.ts";
import { openParts, type Ground, type Parts } from "./parts.ts";
import { openPorts } from "./ports.ts";
import { defineCallbacks } from "./rules/callbacks.ts";
import { readRulesFile } from "./rules/rules-file.ts";
import { readAll, SettingsError } from "./settings-error.ts";
import { judge, readFiles, type Https } from "./tls/certificates.ts";
import { Demands } from "./work/demands.ts";
import { defineWorkMachine } from "./work/machine.ts";
import { withWorkCodes } from "./work/service.ts";

/** A server that serves both ports. */
export interface RunningServer {
  /** The customers' port, as a URL without a slash at its end. */
  readonly customers: string;
  /** The baristas' port. */
  readonly baristas: string;
  /** Swagger UI of the customers' port. */
  readonly swagger: string;
  /**
   * Lets held customers end or redirects them, then closes everything. Resolves to an error for each part that did not
   * close; called again, to the same.
   */
  stop(): Promise<readonly Error[]>;
}

export interface ServerOptions {
  readonly log: Log;
  /** Those that run in this server, beside those of the setting MACHINES. */
  readonly machines?: readonly Machine[] | undefined;
  /** Holds what was opened so far: closing it ends a server that is still starting, too. */
  readonly lifecycle?: Lifecycle;
  /** Called once a newer version has taken over the shop's data: the server is to be stopped. */
  readonly superseded?: () => void;
}

/** Starts a server. Throws a StartError, with one line that says what to do, where it can't start. */
export async function createServer(
  config: Config,
  { log, machines: given = [], lifecycle = new Lifecycle(), superseded = () => {} }: ServerOptions,
): Promise<RunningServer> {
  const ground = { config, log, lifecycle };
  let stopped: Promise<readonly Error[]> | undefined;
  const stop = (): Promise<readonly Error[]> => (stopped ??= lifecycle.close());
  try {
    const fromFiles = [openHttps(config), readRulesFile(config), defineCallbacks(config)] as const;
    const [https, ofFile, ofCallbacks] = await readAll(fromFiles);
    const eventRules = [...ofFile, ...ofCallbacks];
    const { defined, queues } = await defineMachines(config, given);
    const parts = await openParts(ground, { rules: queues.map(({ rules }) => rules), eventRules, superseded });
    const { customerSocket, baristaSocket, machines } = openPorts(ground, parts, { queues, https });
    machines.start(defined);
    await parts.cards?.hearAt(`${customerSocket.url}/payment/webhook`);
    if (config.work) takeDemands(ground, parts);
    const customers = customerSocket.url;
    return { customers, baristas: baristaSocket.url, swagger: `${customers}/swagger`, stop };
  } catch (error) {
    logFailures(log, await stop());
    throw error;
  }
}

/** The certificates of the settings; undefined where there are none. Throws a SettingsError for faulty ones. */
async function openHttps({ tlsCert: cert, tlsKey: key, staffTlsCa: staffCa }: Config): Promise<Https | undefined> {
  if (cert === undefined || key === undefined) return undefined;
  const files = { cert, key, staffCa };
  const reading = await readFiles(files);
  const judged = judge(reading);
  if (judged.kind === "faults") throw new SettingsError(judged.faults);
  return { files, certificates: judged.certificates, digest: reading.digest };
}

/** All machines of the server, and all queues that are not the counter's. */
async function defineMachines(config: Config, given: readonly Machine[]) {
  const own = config.work ? [defineWorkMachine(config)] : [];
  const defined = await gatherMachines(config.machines, [...own, ...given]);
  const declared = declareMachineQueues(defined, config);
  return { defined, queues: config.work ? declared.map(withWorkCodes) : declared };
}

/** Begins to take what other programs demand of the work service. */
function takeDemands({ log, lifecycle }: Ground, { redis, orders }: Parts): void {
  const demands = new Demands({ redis, orders, log });
  lifecycle.opened("demands", () => demands.close());
}
