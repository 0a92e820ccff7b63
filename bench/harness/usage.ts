/** Owns what an order costs, in processor time and Redis commands: figures that a busy machine changes less than rates and waits. */
import type { Shop } from "./shop.ts";

/** Microseconds of the processes' time, and commands that Redis ran (within scripts too), for one order. */
interface UsageSample extends Readonly<Record<string, number>> {
  readonly serverUs: number;
  readonly redisUs: number;
  readonly loadUs: number;
  readonly commands: number;
}

export const USAGE_METRICS = [
  { key: "serverUs", label: "server µs/order", digits: 0 },
  { key: "redisUs", label: "Redis µs/order", digits: 0 },
  { key: "loadUs", label: "load µs/order", digits: 0 },
  { key: "commands", label: "Redis commands/order", digits: 1 },
] as const;

/** Reads the counters now; the function it returns, called later, tells what each order since has cost. */
export async function measureUsage(shop: Shop): Promise<(orders: number) => Promise<UsageSample>> {
  const before = await readCounters(shop);
  return async (orders) => {
    const after = await readCounters(shop);
    const each = (of: keyof typeof before): number => (after[of] - before[of]) / orders;
    return {
      serverUs: each("server") * 1_000_000,
      redisUs: each("redis") * 1_000_000,
      loadUs: each("load") * 1_000_000,
      commands: each("commands"),
    };
  };
}

async function readCounters({ servers, redis, fleet }: Shop) {
  return {
    server: servers.reduce((sum, server) => sum + server.processorSeconds, 0),
    redis: redis.processorSeconds,
    load: fleet.processorSeconds,
    commands: await redis.countCommands(),
  };
}
