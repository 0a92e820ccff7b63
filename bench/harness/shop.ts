/**
 * Owns what one run needs: a fresh Redis, one or more servers on it, each a process of its own, and the load.
 *
 * **Invariants**
 * - A server is ready once it is returned.
 * - All of it is closed when the run is over, whatever came of it.
 */
import { Lifecycle } from "../../src/lifecycle.ts";
import { startServer, type Server } from "../../test/support/server.ts";
import { Fleet } from "./fleet.ts";
import { BenchRedis, type Fsync } from "./redis.ts";

/** What can be measured: Longpour, or a peer that answers the same routes. */
export interface Contender {
  readonly name: string;
  /** Its main file, below the project's folder. */
  readonly main: string;
  /** An order is kept in Redis under this and its id. */
  readonly recordPrefix: string;
}

export const LONGPOUR = { name: "Longpour", main: "src/main.ts", recordPrefix: "{bench}:order:" };
export const BULLMQ = { name: "BullMQ", main: "bench/peers/bullmq.ts", recordPrefix: "bull:orders:" };
/** Not a peer: HTTP alone, which all of them stand on. It keeps nothing. */
export const MEMORY = { name: "HTTP alone", main: "bench/peers/memory.ts", recordPrefix: "" };

type Environment = Readonly<Record<string, string>>;

/** Limits far away, for the load comes from one address; the flood sets its own. */
const FAR = "1000000";
const HELD = { MAX_HELD: FAR, MAX_HELD_PER_ADDRESS: FAR };
const RATES = { REQUESTS_PER_SECOND: FAR, LIMIT_CAPACITY: FAR, LIMIT_REFILL_PER_SECOND: FAR };
const ENVIRONMENT: Environment = { SHOP: "bench", ...HELD, ...RATES };

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
  readonly servers: readonly Server[];
  /** The first server. */
  readonly server: Server;
  readonly fleet: Fleet;
}

/** Opens everything, lets `run` use it, and closes it again. */
export async function inShop<Result>(options: ShopOptions, run: (shop: Shop) => Promise<Result>): Promise<Result> {
  const { contender, fsync = "always", environment, servers: count = 1, loads = 1 } = options;
  const lifecycle = new Lifecycle();
  try {
    const redis = await BenchRedis.start(fsync);
    lifecycle.opened("Redis", () => redis.close());
    const open = async (): Promise<Server> => {
      const settings = { ...ENVIRONMENT, REDIS_URL: redis.url, ...environment };
      const server = await startServer(settings, { main: contender.main });
      lifecycle.opened("server", () => close(server));
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

/** Ends a server, and shows what it has logged of faults. */
async function close(server: Server): Promise<void> {
  await server.stop("SIGKILL");
  const faults = server.log().filter(({ level }) => level === "error" || level === "fatal");
  for (const fault of faults) process.stderr.write(`${JSON.stringify(fault)}\n`);
}
