/**
 * Owns the runs of the cycle: customers and baristas go round in a closed loop, as the scenarios cycle, long and
 * replicas have it.
 */
import { clock } from "./clock.ts";
import type { Goal, Sample, Settings } from "./comparison.ts";
import { checkDelivery } from "./delivery.ts";
import type { Part } from "./fleet.ts";
import { countLeftKeys } from "./left-keys.ts";
import type { Fsync } from "./redis.ts";
import { mergeReports, type Report } from "./report.ts";
import { BULLMQ, LONGPOUR, type Contender } from "./server.ts";
import { inShop, type Shop } from "./shop.ts";
import { quantile, within } from "./statistics.ts";
import { measureUsage, USAGE_METRICS } from "./usage.ts";

export const CUSTOMERS = 200;

export const CYCLE_METRICS = [
  { key: "perSecond", label: "orders/s", digits: 0 },
  { key: "p50", label: "wait p50 ms", digits: 1 },
  { key: "p99", label: "wait p99 ms", digits: 1 },
  ...USAGE_METRICS,
] as const;

/** Longpour, whose baristas finish and start the next in one request. */
export const NEXT = "Longpour, next";

export interface CycleOptions {
  readonly contender: Contender;
  readonly fsync: Fsync;
  readonly baristas: number;
  /** The baristas finish and start the next in one request. */
  readonly withNext?: boolean;
  readonly servers?: number;
  /** Counts the keys that are left so long after the last answer. */
  readonly restSeconds?: number;
}

/** What is asked of Longpour beside BullMQ's twin, with 100 baristas and a file that is on disk before the answer. */
export function goalsBesideTwin(group: string): Goal[] {
  const own = { group, name: LONGPOUR.name };
  const next = { group, name: NEXT };
  const to = { group, name: BULLMQ.name };
  const ours = [own, next] as const;
  return [
    { what: "server + Redis µs/order, of BullMQ's", metric: "bothUs", of: own, to, atMost: 0.42 },
    { what: "with next", metric: "bothUs", of: next, to, atMost: 0.33 },
    { what: "orders/s, of BullMQ's", metric: "perSecond", of: own, to, atLeast: 2 },
    { what: "with next", metric: "perSecond", of: next, to, atLeast: 2.6 },
    { what: "wait p99, of BullMQ's", metric: "p99", of: own, to, atMost: 0.5 },
    ...ours.map((of) => ({ what: `${of.name}: file B/order`, metric: "fileBytes", of, atMost: 2048 })),
  ];
}

/** One run: warm-up, measured stretch, end, and the check of exact delivery. */
export async function measureCycle(options: CycleOptions, settings: Settings): Promise<Sample> {
  const { contender, fsync, servers = 1, restSeconds } = options;
  return await inShop({ contender, fsync, servers }, async (shop) => {
    const { staff, guests } = await openCycle(shop, options);
    await Bun.sleep(settings.isQuick ? 500 : 3000);
    const before = await countAnswered(guests);
    const from = clock();
    const usage = await measureUsage(shop);
    await Bun.sleep(settings.seconds * 1000);
    const until = clock();
    const used = await usage((await countAnswered(guests)) - before);
    // The last customers need the baristas still.
    const ended = await endAll(guests);
    const report = mergeReports([...ended, ...(await endAll(staff))]);
    checkDelivery(report);

    const { perSecond, tookMs } = within(report.answered, { from, until });
    const left = restSeconds === undefined ? {} : await measureLeft(shop, { contender, report, restSeconds });
    return { perSecond, p50: quantile(tookMs, 0.5), p99: quantile(tookMs, 0.99), ...used, ...left };
  });
}

/** Staff and guests at work, spread over the servers. */
async function openCycle(
  { servers, fleet }: Shop,
  { baristas, withNext = false }: CycleOptions,
): Promise<{ staff: Part[]; guests: Part[] }> {
  const share = (count: number): number => Math.ceil(count / servers.length);
  const staff = await Promise.all(
    servers.map(({ baristas: url }) => fleet.begin({ role: "baristas", url, count: share(baristas), withNext })),
  );
  const guests = await Promise.all(
    servers.map(({ customers: url }, index) =>
      fleet.begin({ role: "customers", url, count: share(CUSTOMERS), prefix: `c${index}-` }),
    ),
  );
  return { staff, guests };
}

async function measureLeft(
  { redis }: Shop,
  { contender, report, restSeconds }: { contender: Contender; report: Report; restSeconds: number },
): Promise<Sample> {
  await Bun.sleep(restSeconds * 1000);
  const { ids } = report.answered;
  const { ofOrders, others } = await countLeftKeys(redis, { ids, recordPrefix: contender.recordPrefix });
  return { keysLeft: ofOrders / ids.length, otherKeys: others };
}

async function endAll(parts: readonly Part[]): Promise<Report[]> {
  return await Promise.all(parts.map((part) => part.end()));
}

async function countAnswered(parts: readonly Part[]): Promise<number> {
  const counts = await Promise.all(parts.map((part) => part.count()));
  return counts.reduce((sum, { answered }) => sum + answered, 0);
}
