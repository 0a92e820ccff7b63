/**
 * Owns the process: its settings, its signals and its exit. No other file touches them.
 *
 * **Invariants**
 * - The process serves both ports, or it ends with one clear line and an exit code.
 * - The exit code is 2 for wrong settings, and 1 for anything else.
 */
import { readConfig, secretsIn, type Config } from "./config.ts";
import { Lifecycle, logFailures, StartError } from "./lifecycle.ts";
import { createLog, plainError, withoutSecrets, type Log } from "./log.ts";
import { createServer, type RunningServer } from "./server.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** What else a process runs beside its server: begun once it is open, and ended first when it stops. */
export type Beside = (server: RunningServer, config: Config) => { readonly end: () => Promise<void> };

interface RunOptions {
  readonly beside?: Beside | undefined;
  /** Logs in JSON on a terminal, too. */
  readonly isJson?: boolean;
}

/** Serves by the settings of `environment` until a signal ends the process. Resolves once the server is open. */
export async function runServer(environment: Environment, options: RunOptions = {}): Promise<void> {
  const secrets = secretsIn(environment);
  try {
    await serve(environment, secrets, options);
  } catch (error) {
    const isExpected = error instanceof StartError;
    const said = isExpected ? withoutSecrets(error.message, secrets) : plainError(error, secrets).stack;
    process.stderr.write(`longpour: ${said}\n`);
    process.exit(isExpected ? error.exitCode : 1);
  }
}

/**
 * `secrets`: the texts that must not stand in any output: Bun would print the source and the fields of an error beside
 * its message.
 */
async function serve(
  environment: Environment,
  secrets: readonly string[],
  { beside, isJson = false }: RunOptions,
): Promise<void> {
  const lifecycle = new Lifecycle();
  const config = readConfig(environment);
  const log = createLog({ level: config.logLevel, terminal: process.stdout.isTTY && !isJson, secrets });
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
    logFailures(log, failures);
    log.info("stopped");
    process.exit(failures.length === 0 ? 0 : 1);
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => void stop(signal));

  const server = await createServer(config, { log, lifecycle, superseded: () => void stop("superseded") });
  announce(server, config, log);
  const other = beside?.(server, config);
  if (other) lifecycle.opened("what runs beside the server", other.end);
}

function announce({ customers, baristas, swagger }: RunningServer, config: Config, log: Log): void {
  const isGuarded = config.staffToken !== undefined || config.staffTlsCa !== undefined;
  if (!isGuarded) log.info("no STAFF_TOKEN: the baristas' port listens on this machine only");
  log.info(
    { customers, baristas, swagger },
    `open: customers ${customers}, baristas ${baristas}, Swagger UI ${swagger}`,
  );
}

if (import.meta.main) await runServer(process.env);
