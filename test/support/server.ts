/**
 * Owns the servers of the tests and the bench: `src/main.ts` as a process of its own, on free ports.
 *
 * **Invariants**
 * - A server that was started is gone when the process ends.
 * - No words of customers or baristas stand in its output.
 */
import { afterEach } from "bun:test";
import { join } from "node:path";
import type { Ports } from "./http.ts";
import { sharedRedis } from "./redis.ts";
import { until } from "./until.ts";
import { expectNoWords } from "./words.ts";

const root = join(import.meta.dir, "../..");
/** Each with its end: what it printed is looked through. */
const running = new Map<Bun.Subprocess, () => Promise<void>>();

process.once("exit", () => {
  for (const child of running.keys()) child.kill("SIGKILL");
});

export interface Server {
  /** Base URLs of the two ports, without a last slash. */
  readonly customers: string;
  readonly baristas: string;
  readonly process: Bun.Subprocess;
  /** What it logged so far, a JSON object a line. */
  readonly log: () => readonly Record<string, unknown>[];
  /** Ends it with SIGTERM, or another signal, and resolves to its exit code (null when a signal ended it). */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

type Environment = Readonly<Record<string, string>>;

interface Bounds {
  /** How many files the server may have open; as many as the tests without it. */
  readonly openFiles?: number;
  /** The folder of another release of the server; this one without it. */
  readonly release?: string | undefined;
  /** What runs in place of `src/main.ts`: says its addresses in a line of JSON whose `msg` begins as the server's. */
  readonly main?: string;
}

/** Starts a server on the shared Redis, in a shop of its own, unless `environment` says otherwise. */
export async function startServer(environment: Environment = {}, bounds: Bounds = {}): Promise<Server> {
  const redisUrl = environment.REDIS_URL ?? (environment.DATA_DIR ? "" : (await sharedRedis()).url);
  const child = spawnServer({ SHOP: `test-${crypto.randomUUID()}`, ...environment, REDIS_URL: redisUrl }, bounds);
  const output = collect(child);
  const log = (): Record<string, unknown>[] =>
    output()
      .split("\n")
      .filter((line) => line.startsWith("{") && line.endsWith("}"))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  const opened = () => log().find(({ msg }) => String(msg).startsWith("open:"));
  await until(() => opened() !== undefined || child.exitCode !== null, "the server starts", 30_000);
  const line = opened();
  if (!line) throw new Error(`the server ended with exit code ${child.exitCode}: ${output()}`);
  return {
    customers: String(line.customers).replace("localhost", "127.0.0.1"),
    baristas: String(line.baristas),
    process: child,
    log,
    stop: async (signal = "SIGTERM") => {
      child.kill(signal);
      await running.get(child)?.();
      return child.exitCode;
    },
  };
}

/** The server of each test of a file, which the test starts. It is stopped after the test. */
export class ServerPerTest implements Ports {
  #current: Server | undefined;

  async start(environment?: Environment): Promise<void> {
    this.#current = await startServer(environment);
  }

  async stop(): Promise<void> {
    await this.#current?.stop();
    this.#current = undefined;
  }

  get customers(): string {
    return this.#running.customers;
  }

  get baristas(): string {
    return this.#running.baristas;
  }

  get #running(): Server {
    if (!this.#current) throw new Error("the test has not started its server");
    return this.#current;
  }
}

/** To be called once, at the file's top. */
export function useServer(): ServerPerTest {
  const server = new ServerPerTest();
  afterEach(() => server.stop());
  return server;
}

/** Runs a server that is expected to refuse; resolves to its exit code and what it printed. */
export async function startRefusedServer(
  environment: Environment,
  bounds: Bounds = {},
): Promise<{ exitCode: number; output: string }> {
  const child = spawnServer(environment, bounds);
  const output = collect(child);
  const exitCode = await child.exited;
  await running.get(child)?.();
  return { exitCode, output: output() };
}

export async function stopServers(): Promise<void> {
  for (const child of running.keys()) child.kill("SIGKILL");
  await Promise.all(Array.from(running.values(), (end) => end()));
}

function spawnServer(
  environment: Environment,
  { openFiles, release = root, main = "src/main.ts" }: Bounds = {},
): Bun.Subprocess<"ignore", "pipe", "pipe"> {
  const bounded = openFiles === undefined ? [] : ["sh", "-c", `ulimit -n ${openFiles} && exec "$0" "$@"`];
  const child = Bun.spawn([...bounded, process.execPath, join(release, main)], {
    env: { PATH: process.env.PATH, CUSTOMER_PORT: "0", BARISTA_PORT: "0", CUSTOMER_HOST: "127.0.0.1", ...environment },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  return child;
}

/** Reads both streams to their end, so that the child never blocks on a full pipe, and nothing of it is missed. */
function collect(child: Bun.Subprocess<"ignore", "pipe", "pipe">): () => string {
  let text = "";
  const read = async (stream: ReadableStream<Uint8Array>): Promise<void> => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) text += decoder.decode(chunk, { stream: true });
  };
  const whole = Promise.all([read(child.stdout), read(child.stderr)]);
  running.set(child, async () => {
    await Promise.all([child.exited, whole]);
    running.delete(child);
    expectNoWords(text);
  });
  return () => text;
}
