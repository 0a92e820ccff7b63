/**
 * Cycle: how fast orders go round, and how long a customer waits.
 *
 * 200 customers in a closed loop: each orders, is held until the 200, and orders again. 20 or 100 baristas who brew in no time:
 * start (held up to 5 s), finish, again. "HTTP alone" is the same over an array in memory: the floor. All contenders have the same routes, the same load and the same Redis settings over TCP.
 * With so many customers and no brewing, a wait is mostly the time in the queue: customers ÷ throughput.
 */
import { clock } from "../harness/clock.ts";
import {
  measureInTurn,
  type Comparison,
  type Finding,
  type Goal,
  type Sample,
  type Settings,
} from "../harness/comparison.ts";
import { checkDelivery } from "../harness/delivery.ts";
import type { Part } from "../harness/fleet.ts";
import type { Fsync } from "../harness/redis.ts";
import { mergeReports } from "../harness/report.ts";
import { BLPOP, BULLMQ, LONGPOUR, MEMORY, type Contender } from "../harness/server.ts";
import { inShop } from "../harness/shop.ts";
import { quantile, within } from "../harness/statistics.ts";
import { measureUsage, USAGE_METRICS } from "../harness/usage.ts";

const CUSTOMERS = 200;
const CONTENDERS = [LONGPOUR, BULLMQ, BLPOP];

export const CYCLE_METRICS = [
  { key: "perSecond", label: "orders/s", digits: 0 },
  { key: "p50", label: "wait p50 ms", digits: 1 },
  { key: "p99", label: "wait p99 ms", digits: 1 },
  ...USAGE_METRICS,
] as const;

export interface CycleOptions {
  readonly contender: Contender;
  readonly fsync: Fsync;
  readonly baristas: number;
  readonly servers?: number;
}

export async function cycle(settings: Settings): Promise<Finding> {
  const comparisons: Comparison[] = [];
  for (const baristas of [20, 100]) comparisons.push(await compare(baristas, settings));
  return { comparisons, remarks: [] };
}

async function compare(baristas: number, settings: Settings): Promise<Comparison> {
  const variants = (["always", "everysec"] as const).flatMap((fsync) =>
    // Without a disk it does not matter how Redis writes: once is enough.
    [...CONTENDERS, ...(fsync === "everysec" ? [MEMORY] : [])].map((contender) => ({
      group: fsync,
      name: contender.name,
      measure: () => measureCycle({ contender, fsync, baristas }, settings),
    })),
  );
  const [perSecond, , p99] = CYCLE_METRICS;
  const about = `${CUSTOMERS} customers, ${baristas} baristas`;
  return {
    title: about,
    groupLabel: "appendfsync",
    metrics: CYCLE_METRICS,
    series: await measureInTurn(variants, settings),
    goals: goalsWith(baristas),
    charts: [
      { file: `cycle-${baristas}-throughput.svg`, title: `Orders a second: ${about}`, metric: perSecond, kind: "bar" },
      { file: `cycle-${baristas}-p99.svg`, title: `Whole wait, p99: ${about}`, metric: p99, kind: "bar" },
    ],
  };
}

function goalsWith(baristas: number): Goal[] {
  const to = (group: string, { name }: Contender) => ({ group, name });
  const times = baristas === 100 ? 4 : 3;
  const against = (["always", "everysec"] as const).flatMap((fsync): Goal[] => {
    const pair = { of: to(fsync, LONGPOUR), to: to(fsync, BULLMQ) };
    const p99 = { what: `p99, of BullMQ's (${fsync})`, metric: "p99", ...pair, atMost: 0.25 };
    return [
      { what: `orders/s, of BullMQ's (${fsync})`, metric: "perSecond", ...pair, atLeast: times },
      ...(baristas === 100 ? [p99] : []),
    ];
  });
  const fsync = { of: to("always", LONGPOUR), to: to("everysec", LONGPOUR) };
  return [...against, { what: "orders/s, always of everysec", metric: "perSecond", ...fsync, atLeast: 0.6 }];
}

/** One run: warm-up, measured stretch, end, and the check of exact delivery. */
export async function measureCycle(
  { contender, fsync, baristas, servers: count = 1 }: CycleOptions,
  { seconds, isQuick }: Settings,
): Promise<Sample> {
  return await inShop({ contender, fsync, servers: count }, async (shop) => {
    const { servers, fleet } = shop;
    const share = (begin: (url: { customers: string; baristas: string }, index: number) => Promise<Part>) =>
      Promise.all(servers.map(begin));
    const staff = await share((url) =>
      fleet.begin({ role: "baristas", url: url.baristas, count: Math.ceil(baristas / count) }),
    );
    const guests = await share(({ customers: url }, index) =>
      fleet.begin({ role: "customers", url, count: Math.ceil(CUSTOMERS / count), prefix: `c${index}-` }),
    );
    await Bun.sleep(isQuick ? 500 : 3000);
    const before = await countAnswered(guests);
    const from = clock();
    const usage = await measureUsage(shop);
    await Bun.sleep(seconds * 1000);
    const until = clock();
    const used = await usage((await countAnswered(guests)) - before);
    // The last customers need the baristas still.
    const ended = await Promise.all(guests.map((part) => part.end()));
    const report = mergeReports([...ended, ...(await Promise.all(staff.map((part) => part.end())))]);
    checkDelivery(report);

    const { perSecond, tookMs } = within(report.answered, { from, until });
    return { perSecond, p50: quantile(tookMs, 0.5), p99: quantile(tookMs, 0.99), ...used };
  });
}

async function countAnswered(parts: readonly Part[]): Promise<number> {
  const counts = await Promise.all(parts.map((part) => part.count()));
  return counts.reduce((sum, { answered }) => sum + answered, 0);
}
