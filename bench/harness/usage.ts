/**
 * Owns what an order costs: processor time, Redis commands and bytes of the append-only file. A busy machine changes
 * these figures less than rates and waits.
 */

/** Figures for one order, each in the unit of its name; `rewrites` were under way at some time, in all. */
interface UsageSample extends Readonly<Record<string, number>> {
  readonly serverUs: number;
  readonly redisUs: number;
  /** Server and Redis. */
  readonly bothUs: number;
  readonly loadUs: number;
  readonly commands: number;
  readonly fileBytes: number;
  readonly rewrites: number;
}

export const USAGE_METRICS = [
  { key: "serverUs", label: "server µs/order", digits: 0 },
  { key: "redisUs", label: "Redis µs/order", digits: 0 },
  { key: "bothUs", label: "server + Redis µs/order", digits: 0 },
  { key: "loadUs", label: "load µs/order", digits: 0 },
  { key: "commands", label: "Redis commands/order", digits: 1 },
  { key: "fileBytes", label: "file B/order", digits: 0 },
  { key: "rewrites", label: "rewrites", digits: 0 },
] as const;

interface Process {
  readonly processorSeconds: number;
}

/** Whose counters are read. */
export interface Metered {
  readonly servers: readonly Process[];
  readonly redis: Process & {
    readonly appendedBytes: number;
    countCommands(): Promise<number>;
    readRewrites(): Promise<{ readonly begun: number; readonly isUnderWay: boolean }>;
  };
  /** The load. */
  readonly fleet: Process;
}

/** Reads the counters now; the function it returns, called later, tells what each order since has cost. */
export async function measureUsage(metered: Metered): Promise<(orders: number) => Promise<UsageSample>> {
  const before = await readCounters(metered);
  return async (orders) => {
    const after = await readCounters(metered);
    const each = (of: "server" | "redis" | "load" | "commands" | "bytes"): number => (after[of] - before[of]) / orders;
    const serverUs = each("server") * 1_000_000;
    const redisUs = each("redis") * 1_000_000;
    return {
      serverUs,
      redisUs,
      bothUs: serverUs + redisUs,
      loadUs: each("load") * 1_000_000,
      commands: each("commands"),
      fileBytes: each("bytes"),
      rewrites: after.rewrites.begun - before.rewrites.begun + (before.rewrites.isUnderWay ? 1 : 0),
    };
  };
}

async function readCounters({ servers, redis, fleet }: Metered) {
  return {
    server: servers.reduce((sum, server) => sum + server.processorSeconds, 0),
    redis: redis.processorSeconds,
    load: fleet.processorSeconds,
    bytes: redis.appendedBytes,
    commands: await redis.countCommands(),
    rewrites: await redis.readRewrites(),
  };
}
