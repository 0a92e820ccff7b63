/**
 * Owns what one run needs: a fresh Redis, one or more servers on it, each a process of its own, and the load.
 *
 * **Invariants**
 * - A server is ready once it is returned.
 * - All of it is closed when the run is over, whatever came of it.
 */
import { join } from "node:path";
import { Lifecycle } from "../../src/lifecycle.ts";
import { Fleet } from "./fleet.ts";
import { Child, residentKib } from "./process.ts";
import { BenchRedis, type Fsync } from "./redis.ts";

/** What can be measured: Longpour, or a peer that answers the same routes. */
export interface Contender {
  readonly name: string;
  /** Its main file, below the project's folder, or an absolute path. */
  readonly main: string;
  /** An order is kept in Redis under this and its id. */
  readonly recordPrefix: string;
}

export const LONGPOUR: Contender = { name: "Longpour", main: "src/main.ts", recordPrefix: "{bench}:order:" };
export const BULLMQ: Contender = { name: "BullMQ", main: "bench/peers/bullmq.ts", recordPrefix: "bull:orders:" };
export const BLPOP: Contender = {
  name: "one BLPOP each",
  main: "bench/peers/blpop.ts",
  recordPrefix: "{naive}:order:",
};
/** Not a peer: HTTP alone, which all of them stand on. It keeps nothing. */
export const MEMORY: Contender = { name: "HTTP alone", main: "bench/peers/memory.ts", recordPrefix: "" };

type Environment = Readonly<Record<string, string>>;

/** Limits far away, for the load comes from one address; the flood sets its own. */
const ENVIRONMENT: Environment = {
  SHOP: "bench",
  CUSTOMER_PORT: "0",
  BARISTA_PORT: "0",
  CUSTOMER_HOST: "127.0.0.1",
  REQUESTS_PER_SECOND: "1000000",
  LIMIT_CAPACITY: "1000000",
  LIMIT_REFILL_PER_SECOND: "1000000",
  MAX_HELD: "1000000",
  MAX_HELD_PER_ADDRESS: "1000000",
};

const START_BOUND_MS = 30_000;

/** Base URLs of a server's two ports. */
interface Addresses {
  readonly customers: string;
  readonly baristas: string;
}

class BenchServer implements Addresses {
  readonly customers: string;
  readonly baristas: string;
  readonly #child: Child;

  private constructor(child: Child, { customers, baristas }: Addresses) {
    this.#child = child;
    this.customers = customers;
    this.baristas = baristas;
  }

  static async start({ main, name }: Contender, redisUrl: string, environment: Environment = {}): Promise<BenchServer> {
    const child = Child.spawn([process.execPath, main.startsWith("/") ? main : join(import.meta.dir, "../..", main)], {
      env: { PATH: process.env.PATH, REDIS_URL: redisUrl, ...ENVIRONMENT, ...environment },
      stdio: ["ignore", "pipe", "inherit"],
    });
    const opened = Promise.withResolvers<Addresses>();
    const timer = setTimeout(() => opened.reject(new Error(`${name} did not start in time`)), START_BOUND_MS);
    void child.process.exited.then((exitCode) => opened.reject(new Error(`${name} ended with exit code ${exitCode}`)));
    void readLines(child.output, opened.resolve);
    return new BenchServer(child, await opened.promise.finally(() => clearTimeout(timer)));
  }

  get residentKib(): number {
    return residentKib([this.#child.process.pid]);
  }

  get processorSeconds(): number {
    return this.#child.processorSeconds;
  }

  /** How many orders are queued and brewing, and how many customers are held. */
  async readQueue(): Promise<Readonly<Record<"depth" | "brewing" | "held", number>>> {
    return (await (await fetch(`${this.baristas}/queue`)).json()) as Record<"depth" | "brewing" | "held", number>;
  }

  async close(): Promise<void> {
    await this.#child.end("SIGKILL");
  }
}

/** Reads to the end, so that the child never blocks on a full pipe. A fault that it logs is shown. */
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

export interface ShopOptions {
  readonly contender: Contender;
  readonly fsync?: Fsync;
  readonly environment?: Environment;
  /** How many servers share the Redis. */
  readonly servers?: number;
  /** How many processes make the load. */
  readonly loads?: number;
}

export interface Shop {
  readonly redis: BenchRedis;
  readonly servers: readonly BenchServer[];
  /** The first server. */
  readonly server: BenchServer;
  readonly fleet: Fleet;
}

/** Opens everything, lets `run` use it, and closes it again. */
export async function inShop<Result>(options: ShopOptions, run: (shop: Shop) => Promise<Result>): Promise<Result> {
  const { contender, fsync = "always", environment, servers: count = 1, loads = 1 } = options;
  const lifecycle = new Lifecycle();
  try {
    const redis = await BenchRedis.start(fsync);
    lifecycle.opened("Redis", () => redis.close());
    const open = async (): Promise<BenchServer> => {
      const server = await BenchServer.start(contender, redis.url, environment);
      lifecycle.opened("server", () => server.close());
      return server;
    };
    const server = await open();
    const servers = [server];
    while (servers.length < count) servers.push(await open());
    const fleet = new Fleet(loads);
    lifecycle.opened("load", () => fleet.close());
    return await run({ redis, servers, server, fleet });
  } finally {
    for (const failure of await lifecycle.close()) process.stderr.write(`${failure.message}\n`);
  }
}
