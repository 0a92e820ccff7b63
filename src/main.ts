/**
 * Owns the process: its settings, its signals and its exit. No other file touches them.
 *
 * **Invariants**
 * - The process serves both ports, or it ends with one clear line and an exit code.
 * - The exit code is 2 for wrong settings, and 1 for anything else.
 */
import { readConfig, type Config } from "./config.ts";
import { Lifecycle, StartError } from "./lifecycle.ts";
import { createLog, plainError, withoutSecrets, type Log } from "./log.ts";
import { secretsOf } from "./redis-url.ts";
import { createServer, type RunningServer } from "./server.ts";

async function main(): Promise<void> {
  const lifecycle = new Lifecycle();
  const config = readConfig(process.env);
  const log = createLog({ level: config.logLevel, terminal: process.stdout.isTTY, secrets });
  const die = (error: unknown): void => {
    log.fatal({ err: error }, "unexpected error: the server ends");
    process.exit(1);
  };
  process.on("uncaughtException", die).on("unhandledRejection", die);

  let isStopping = false;
  const stop = async (reason: string): Promise<void> => {
    if (isStopping) return;
    isStopping = true;
    log.info({ reason }, "stopping");
    const failures = await lifecycle.close();
    for (const failure of failures) log.error({ err: failure.cause }, failure.message);
    log.info("stopped");
    process.exit(failures.length === 0 ? 0 : 1);
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => void stop(signal));

  announce(await createServer(config, { log, lifecycle, superseded: () => void stop("superseded") }), config, log);
}

function announce({ customers, baristas, swagger }: RunningServer, { staffToken }: Config, log: Log): void {
  if (!staffToken) log.info("no STAFF_TOKEN: the baristas' port listens on this machine only");
  log.info(
    { customers, baristas, swagger },
    `open: customers ${customers}, baristas ${baristas}, Swagger UI ${swagger}`,
  );
}

/**
 * The texts that must not stand in any output: Bun would print the source and the fields of an error beside its
 * message.
 */
const secrets = [process.env.STAFF_TOKEN ?? "", ...secretsOf(process.env.REDIS_URL ?? "")];

try {
  await main();
} catch (error) {
  const isExpected = error instanceof StartError;
  const said = isExpected ? withoutSecrets(error.message, secrets) : plainError(error, secrets).stack;
  process.stderr.write(`longpour: ${said}\n`);
  process.exit(isExpected ? error.exitCode : 1);
}
