/**
 * Owns what one run needs: a fresh Redis, one or more servers on it, and the load.
 *
 * **Invariants**
 * - All of it is closed when the run is over, whatever came of it.
 */
import { Lifecycle } from "../../src/lifecycle.ts";
import { Fleet } from "./fleet.ts";
import { BenchRedis, type Fsync } from "./redis.ts";
import { BenchServer, type Contender, type Environment } from "./server.ts";

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
    const servers: BenchServer[] = [];
    for (let opened = 0; opened < count; opened++) {
      const server = await BenchServer.start(contender, redis.url, environment);
      lifecycle.opened("server", () => server.close());
      servers.push(server);
    }
    const [server] = servers;
    if (!server) throw new Error("a shop needs a server");
    const fleet = new Fleet(loads);
    lifecycle.opened("load", () => fleet.close());
    return await run({ redis, servers, server, fleet });
  } finally {
    for (const failure of await lifecycle.close()) process.stderr.write(`${failure.message}\n`);
  }
}
