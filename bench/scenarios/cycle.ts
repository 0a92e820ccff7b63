/**
 * Cycle: how fast orders go round, what one costs, and how long a customer waits.
 *
 * 200 customers in a closed loop: each orders, is held until the 200, and orders again. 20 or 100 baristas who brew in
 * no time: start (held up to 5 s), finish, again. "Longpour, next": they finish and start the next in one request,
 * which the peers don't offer. "HTTP alone" is the same over an array in memory: the floor. All contenders have the
 * same routes, the same load and the same Redis settings over TCP. With so many customers and no brewing, a wait is
 * mostly the time in the queue. "load by wrk": customers and baristas are wrk's, which costs the machine less than the
 * bench's own load, and checks less; customers send no body. The goals were set under such a load.
 *
 * Long: the same with 100 baristas for six times as long (a minute by default), so that rewrites of the append-only
 * file and keys that lie about for a while are in the figures; then, after as long a rest, what is left in Redis.
 * "rewrites" were under way at some time of the measured stretch; their processor time is Redis's. "file B/order" is
 * what Redis appended, without what rewrites wrote. "keys left/order" name an order and are not its record; "other
 * keys" name none: indexes, and the shop's own. At most three rounds, for it is long.
 *
 * Replicas: the same with 100 baristas on one server, and spread over two on the same Redis. On a machine with fewer
 * cores than processes (servers, Redis, load) two servers share what one had.
 */
import { barChart, measureInTurn, type Finding, type Sample, type Settings } from "../harness/comparison.ts";
import { countAll, endAll, type Part } from "../harness/fleet.ts";
import { baristas, customers } from "../harness/people.ts";
import type { Fsync } from "../harness/redis.ts";
import { checkDelivery, mergeReports } from "../harness/report.ts";
import { BULLMQ, inShop, LONGPOUR, MEMORY, type Contender, type Shop } from "../harness/shop.ts";
import { measureUsage, quantile, USAGE_METRICS, within } from "../harness/stretch.ts";
import { hasWrk, measureByWrk } from "../harness/wrk.ts";

export const CUSTOMERS = 200;
const FEW = 20;
export const MANY = 100;
/** With fsync always. */
const BY_WRK = "load by wrk";
const TIMES_AS_LONG = 6;
const MAX_LONG_ROUNDS = 3;

export const METRICS = [
  { key: "perSecond", label: "orders/s", digits: 0 },
  { key: "p50", label: "wait p50 ms", digits: 1 },
  { key: "p99", label: "wait p99 ms", digits: 1 },
  ...USAGE_METRICS,
] as const;
const [PER_SECOND, , P99] = METRICS;
const KEYS_LEFT = { key: "keysLeft", label: "keys left/order", digits: 4 };
const OTHER_KEYS = { key: "otherKeys", label: "other keys", digits: 0 };

interface Cycle {
  readonly contender: Contender;
  readonly fsync?: Fsync;
  readonly baristas: number;
  /** The baristas finish and start the next in one request. */
  readonly withNext?: boolean;
  readonly servers?: number;
  /** Counts the keys that are left so long after the last answer. */
  readonly restSeconds?: number;
  readonly environment?: Readonly<Record<string, string>>;
  /** Runs beside the load, until it ends. */
  readonly beside?: (shop: Shop, ended: AbortSignal) => Promise<void>;
}

const OWN = { name: LONGPOUR.name, contender: LONGPOUR };
const NEXT = { name: "Longpour, next", contender: LONGPOUR, withNext: true };
const TWIN = { name: BULLMQ.name, contender: BULLMQ };

export async function cycle(settings: Settings): Promise<Finding> {
  const comparisons = [await compare(FEW, settings), await compare(MANY, settings)];
  const remarks = hasWrk() ? [] : [`"${BY_WRK}" left out: wrk is not installed (package wrk).`];
  return { comparisons, remarks };
}

async function compare(staff: number, settings: Settings) {
  const contenders = [OWN, ...(staff === MANY ? [NEXT] : []), TWIN];
  // Without a disk it does not matter how Redis writes: once is enough.
  const floor = { name: MEMORY.name, contender: MEMORY };
  const variants = (["always", "everysec"] as const).flatMap((fsync) =>
    [...contenders, ...(fsync === "everysec" ? [floor] : [])].map(({ name, ...own }) => {
      return { group: fsync, name, measure: () => measure({ ...own, fsync, baristas: staff }, settings) };
    }),
  );
  const byWrk = (staff === MANY && hasWrk() ? [OWN, NEXT, TWIN] : []).map(({ name, ...own }) => {
    const run = { customers: CUSTOMERS, baristas: staff, ...own };
    return { group: BY_WRK, name, measure: () => measureByWrk(run, settings) };
  });
  const about = `${CUSTOMERS} customers, ${staff} baristas`;
  const groups = ["always", ...(byWrk.length > 0 ? [BY_WRK] : [])];
  const at = (group: Fsync) => ({ group, name: OWN.name });
  const fsyncs = { metric: "perSecond", of: at("always"), to: at("everysec") };
  return {
    title: about,
    groupLabel: "appendfsync",
    metrics: METRICS,
    series: await measureInTurn([...variants, ...byWrk], settings),
    goals: [
      ...(staff === MANY ? groups.flatMap(goalsBesideTwin) : []),
      { what: "orders/s, always of everysec", ...fsyncs, atLeast: 0.6 },
    ],
    charts: [
      barChart(`cycle-${staff}-throughput.svg`, `Orders a second: ${about}`, PER_SECOND),
      barChart(`cycle-${staff}-p99.svg`, `Whole wait, p99: ${about}`, P99),
    ],
  };
}

export async function long(settings: Settings): Promise<Finding> {
  const seconds = settings.isQuick ? settings.seconds : settings.seconds * TIMES_AS_LONG;
  const own = { ...settings, seconds, rounds: Math.min(settings.rounds, MAX_LONG_ROUNDS) };
  const group = `${seconds} s`;
  const variants = [OWN, NEXT, TWIN].map(({ name, ...which }) => {
    return { group, name, measure: () => measure({ ...which, baristas: MANY, restSeconds: seconds }, own) };
  });
  const left = [OWN, NEXT].map(({ name }) => {
    return { what: `${name}: keys left/order`, metric: "keysLeft", of: { group, name }, atMost: 0 };
  });
  const comparison = {
    title: `${CUSTOMERS} customers, ${MANY} baristas, appendfsync always; keys counted ${seconds} s after the last answer`,
    groupLabel: "measured",
    metrics: [...METRICS, KEYS_LEFT, OTHER_KEYS],
    series: await measureInTurn(variants, own),
    goals: [...goalsBesideTwin(group), ...left],
    charts: [barChart("long-throughput.svg", "Orders a second", PER_SECOND)],
  };
  const remarks = own.rounds < settings.rounds ? [`${own.rounds} rounds in place of ${settings.rounds}.`] : [];
  return { comparisons: [comparison], remarks };
}

export async function replicas(settings: Settings): Promise<Finding> {
  const variants = [1, 2].map((servers) => {
    const run = { contender: LONGPOUR, baristas: MANY, servers };
    return { group: String(servers), name: OWN.name, measure: () => measure(run, settings) };
  });
  const comparison = {
    title: `${CUSTOMERS} customers and ${MANY} baristas, spread over the servers`,
    groupLabel: "servers",
    metrics: METRICS,
    series: await measureInTurn(variants, settings),
    goals: [],
    charts: [barChart("replicas.svg", "Orders a second on one Redis", PER_SECOND)],
  };
  return { comparisons: [comparison], remarks: [] };
}

/** What is asked of Longpour beside BullMQ's twin, with 100 baristas and a file that is on disk before the answer. */
function goalsBesideTwin(group: string) {
  const [own, next] = [
    { group, name: OWN.name },
    { group, name: NEXT.name },
  ] as const;
  const to = { group, name: TWIN.name };
  return [
    { what: `${group}: server + Redis µs/order, of BullMQ's`, metric: "bothUs", of: own, to, atMost: 0.42 },
    { what: `${group}: with next`, metric: "bothUs", of: next, to, atMost: 0.33 },
    { what: `${group}: orders/s, of BullMQ's`, metric: "perSecond", of: own, to, atLeast: 2 },
    { what: `${group}: with next`, metric: "perSecond", of: next, to, atLeast: 2.6 },
    { what: `${group}: wait p99, of BullMQ's`, metric: "p99", of: own, to, atMost: 0.5 },
    ...[own, next].map((of) => ({ what: `${group}: ${of.name}, file B/order`, metric: "fileBytes", of, atMost: 2048 })),
  ];
}

/** One run: staff and guests spread over the servers, warm-up, measured stretch, end, check, and what is left. */
export async function measure(run: Cycle, { seconds, isQuick }: Settings): Promise<Sample> {
  const { contender, fsync = "always", servers = 1, withNext = false, restSeconds, environment = {}, beside } = run;
  return await inShop({ contender, fsync, servers, environment }, async (shop) => {
    const { fleet } = shop;
    const ending = new AbortController();
    const watching = beside?.(shop, ending.signal);
    const share = (count: number): number => Math.ceil(count / servers);
    const [staff, guests]: [Part[], Part[]] = [[], []];
    for (const server of shop.servers) {
      const prefix = `c${guests.length}-`;
      staff.push(await fleet.begin(baristas, { url: server.baristas, count: share(run.baristas), withNext }));
      guests.push(await fleet.begin(customers, { url: server.customers, count: share(CUSTOMERS), prefix }));
    }
    await Bun.sleep(isQuick ? 500 : 3000);
    const { window, usage } = await measureUsage(shop, seconds, () => countAll(guests, "answered"));
    // The last customers need the baristas still.
    const report = mergeReports(await endAll(guests));
    checkDelivery([report, ...(await endAll(staff))]);
    ending.abort();
    await watching;

    const { perSecond, tookMs } = within(report.answered, window);
    const sample = { perSecond, p50: quantile(tookMs, 0.5), p99: quantile(tookMs, 0.99), ...usage };
    if (restSeconds === undefined) return sample;
    await Bun.sleep(restSeconds * 1000);
    const { ids } = report.answered;
    const left = await shop.redis.countLeftKeys({ ids: new Set(ids), recordPrefix: contender.recordPrefix });
    return { ...sample, keysLeft: left.ofOrders / ids.length, otherKeys: left.others };
  });
}
