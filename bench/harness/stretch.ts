/**
 * Owns the measured stretch of a run: when it was, and what each order in it cost. A busy machine changes processor
 * time, commands and bytes less than rates and waits.
 */
import { processorSeconds } from "./process.ts";
import { clock, type Timed } from "./report.ts";
import type { Shop } from "./shop.ts";

/** Figures for one order, each in the unit of its label; `rewrites` were under way at some time, in all. */
export const USAGE_METRICS = [
  { key: "serverUs", label: "server µs/order", digits: 0 },
  { key: "redisUs", label: "Redis µs/order", digits: 0 },
  { key: "bothUs", label: "server + Redis µs/order", digits: 0 },
  { key: "loadUs", label: "load µs/order", digits: 0 },
  { key: "commands", label: "Redis commands/order", digits: 1 },
  { key: "fileBytes", label: "file B/order", digits: 0 },
  { key: "rewrites", label: "rewrites", digits: 0 },
] as const;

type Usage = Readonly<Record<(typeof USAGE_METRICS)[number]["key"], number>>;

/** Whose counters are read; the fleet is the load. */
type Metered = Pick<Shop, "servers" | "redis"> & { readonly fleet: Pick<Shop["fleet"], "processorSeconds"> };

/** A stretch of time, by `clock`. */
export type Window = { readonly from: number; readonly until: number };

/** Lets the load go on for so long. */
export async function stretch(seconds: number): Promise<Window> {
  const from = clock();
  await Bun.sleep(seconds * 1000);
  return { from, until: clock() };
}

/** A stretch, and what each order in it has cost. */
export async function measureUsage(
  metered: Metered,
  seconds: number,
  countOrders: () => Promise<number>,
): Promise<{ readonly window: Window; readonly orders: number; readonly usage: Usage }> {
  const ordersBefore = await countOrders();
  const before = await readCounters(metered);
  const window = await stretch(seconds);
  const orders = (await countOrders()) - ordersBefore;
  const after = await readCounters(metered);
  const each = (of: keyof typeof after): number => (after[of] - before[of]) / orders;
  const [serverUs, redisUs, loadUs] = [each("server") * 1e6, each("redis") * 1e6, each("load") * 1e6];
  const rewrites = after.rewritesBegun - before.rewritesBegun + before.rewritesUnderWay;
  const rest = { commands: each("commands"), fileBytes: each("bytes"), rewrites };
  return { window, orders, usage: { serverUs, redisUs, bothUs: serverUs + redisUs, loadUs, ...rest } };
}

async function readCounters({ servers, redis, fleet }: Metered) {
  return {
    server: processorSeconds(servers.map(({ process }) => process.pid)),
    redis: redis.processorSeconds,
    load: fleet.processorSeconds,
    bytes: redis.appendedBytes,
    commands: await redis.countCommands(),
    rewritesBegun: await redis.info("persistence", "aof_rewrites"),
    rewritesUnderWay: await redis.info("persistence", "aof_rewrite_in_progress"),
  };
}

/** What came back within the window: its rate, and how long it took. */
export function within({ sentAt, tookMs }: Timed, { from, until }: Window): { perSecond: number; tookMs: number[] } {
  const took = tookMs.filter((ms, index) => {
    const at = (sentAt[index] ?? NaN) + ms;
    return at >= from && at < until;
  });
  return { perSecond: took.length / ((until - from) / 1000), tookMs: took };
}

/** The smallest value that at least the share `q` (0 to 1) of `values` does not exceed; NaN when there is none. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = Float64Array.from(values).toSorted();
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? NaN;
}

/** The middle of the runs, or the mean of the two middle ones. */
export function median(values: readonly number[]): number {
  const sorted = Float64Array.from(values).toSorted();
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? NaN) + (sorted[Math.floor(middle)] ?? NaN)) / 2;
}
