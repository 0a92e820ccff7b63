/**
 * Owns a server under load: Longpour, or a peer that answers the same routes, as a process of its own on free ports.
 *
 * **Invariants**
 * - It is ready once it is returned.
 */
import { join } from "node:path";
import { endChild, watchChild } from "./children.ts";
import { processorSeconds, residentKib } from "./process.ts";

/** What can be measured. */
export interface Contender {
  readonly name: string;
  /** Its main file, below the project's folder. */
  readonly main: string;
  /** An order is kept in Redis under this and its id. */
  readonly recordPrefix: string;
}

/** The shop of every run. */
const SHOP = "bench";

export const LONGPOUR: Contender = { name: "Longpour", main: "src/main.ts", recordPrefix: `{${SHOP}}:order:` };
export const BULLMQ: Contender = { name: "BullMQ", main: "bench/peers/bullmq.ts", recordPrefix: "bull:orders:" };
export const BLPOP: Contender = {
  name: "one BLPOP each",
  main: "bench/peers/blpop.ts",
  recordPrefix: "{naive}:order:",
};
/** Not a peer: HTTP alone, which all of them stand on. It keeps nothing. */
export const MEMORY: Contender = { name: "HTTP alone", main: "bench/peers/memory.ts", recordPrefix: "" };

export type Environment = Readonly<Record<string, string>>;

/** Limits far away, for the load comes from one address; the flood sets its own. */
const NO_LIMITS: Environment = {
  REQUESTS_PER_SECOND: "1000000",
  LIMIT_CAPACITY: "1000000",
  LIMIT_REFILL_PER_SECOND: "1000000",
  MAX_HELD: "1000000",
  MAX_HELD_PER_ADDRESS: "1000000",
};

const START_BOUND_MS = 30_000;

export class BenchServer {
  /** Base URLs of its two ports. */
  readonly customers: string;
  readonly baristas: string;
  readonly #child: Bun.Subprocess;

  private constructor(child: Bun.Subprocess, { customers, baristas }: Addresses) {
    this.#child = child;
    this.customers = customers;
    this.baristas = baristas;
  }

  static async start({ main, name }: Contender, redisUrl: string, environment: Environment = {}): Promise<BenchServer> {
    const ports = { CUSTOMER_PORT: "0", BARISTA_PORT: "0", CUSTOMER_HOST: "127.0.0.1" };
    const child = watchChild(
      Bun.spawn([process.execPath, main.startsWith("/") ? main : join(import.meta.dir, "../..", main)], {
        env: { PATH: process.env.PATH, REDIS_URL: redisUrl, SHOP, ...ports, ...NO_LIMITS, ...environment },
        stdio: ["ignore", "pipe", "inherit"],
      }),
    );
    const opened = Promise.withResolvers<Addresses>();
    const timer = setTimeout(() => opened.reject(new Error(`${name} did not start in time`)), START_BOUND_MS);
    void child.exited.then((exitCode) => opened.reject(new Error(`${name} ended with exit code ${exitCode}`)));
    void readLines(child.stdout, opened.resolve);
    return new BenchServer(child, await opened.promise.finally(() => clearTimeout(timer)));
  }

  get residentKib(): number {
    return residentKib([this.#child.pid]);
  }

  get processorSeconds(): number {
    return processorSeconds([this.#child.pid]);
  }

  async close(): Promise<void> {
    await endChild(this.#child, "SIGKILL");
  }
}

interface Addresses {
  readonly customers: string;
  readonly baristas: string;
}

/** Reads to the end, so that the child never blocks on a full pipe. Who logs a fault is heard. */
async function readLines(output: ReadableStream<Uint8Array>, opened: (addresses: Addresses) => void): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of output) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines.filter((text) => text.startsWith("{"))) {
      const { level, ...told } = JSON.parse(line) as Addresses & { readonly level?: string };
      if (told.customers && told.baristas) opened(told);
      else if (level === "error" || level === "fatal") process.stderr.write(`${line}\n`);
    }
  }
}
