/**
 * Cycle: how fast orders go round, what one costs, and how long a customer waits.
 *
 * 200 customers in a closed loop: each orders, is held until the 200, and orders again. 20 or 100 baristas who brew in
 * no time: start (held up to 5 s), finish, again. "Longpour, next": they finish and start the next in one request,
 * which the peers don't offer. "HTTP alone" is the same over an array in memory: the floor. All contenders have the
 * same routes, the same load and the same Redis settings over TCP. With so many customers and no brewing, a wait is
 * mostly the time in the queue.
 *
 * "load by wrk": customers and baristas are wrk's, which costs the machine less than the bench's own load, and checks
 * less.
 */
import { CUSTOMERS, CYCLE_METRICS, goalsBesideTwin, measureCycle, NEXT } from "../harness/cycling.ts";
import {
  measureInTurn,
  type Comparison,
  type Finding,
  type Goal,
  type Settings,
  type Variant,
} from "../harness/comparison.ts";
import type { Fsync } from "../harness/redis.ts";
import { BLPOP, BULLMQ, LONGPOUR, MEMORY } from "../harness/server.ts";
import { findWrk } from "../harness/wrk.ts";
import { measureWrkCycle } from "../harness/wrk-cycle.ts";

const MANY = 100;
/** With fsync always. */
const BY_WRK = "load by wrk";
const FSYNCS = ["always", "everysec"] as const;

export async function cycle(settings: Settings): Promise<Finding> {
  const comparisons: Comparison[] = [];
  for (const baristas of [20, MANY]) comparisons.push(await compare(baristas, settings));
  const remarks = findWrk() ? [] : [`"${BY_WRK}" left out: wrk is not installed (package wrk).`];
  return { comparisons, remarks };
}

async function compare(baristas: number, settings: Settings): Promise<Comparison> {
  const variants = [
    ...FSYNCS.flatMap((fsync) => variantsOf(baristas, fsync, settings)),
    ...(baristas === MANY ? wrkVariants(settings) : []),
  ];
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

function variantsOf(baristas: number, fsync: Fsync, settings: Settings): Variant[] {
  const contenders = [
    { name: LONGPOUR.name, contender: LONGPOUR },
    ...(baristas === MANY ? [{ name: NEXT, contender: LONGPOUR, withNext: true }] : []),
    { name: BULLMQ.name, contender: BULLMQ },
    { name: BLPOP.name, contender: BLPOP },
    // Without a disk it does not matter how Redis writes: once is enough.
    ...(fsync === "everysec" ? [{ name: MEMORY.name, contender: MEMORY }] : []),
  ];
  return contenders.map(({ name, ...own }) => ({
    group: fsync,
    name,
    measure: () => measureCycle({ ...own, fsync, baristas }, settings),
  }));
}

function wrkVariants(settings: Settings): Variant[] {
  const program = findWrk();
  if (program === undefined) return [];
  const contenders = [
    { name: LONGPOUR.name, contender: LONGPOUR },
    { name: NEXT, contender: LONGPOUR, withNext: true },
    { name: BULLMQ.name, contender: BULLMQ },
  ];
  return contenders.map(({ name, ...own }) => ({
    group: BY_WRK,
    name,
    measure: () => measureWrkCycle({ ...own, program, baristas: MANY }, settings),
  }));
}

function goalsWith(baristas: number): Goal[] {
  const at = (group: Fsync) => ({ group, name: LONGPOUR.name });
  const ofFsync = { metric: "perSecond", of: at("always"), to: at("everysec") };
  return [
    ...(baristas === MANY ? goalsBesideTwin("always") : []),
    { what: "orders/s, always of everysec", ...ofFsync, atLeast: 0.6 },
  ];
}
