/**
 * Long: the cycle for six times as long as elsewhere (a minute by default), so that rewrites of the append-only file
 * and keys that lie about for a while are in the figures; then, after as long a rest, what is left in Redis.
 *
 * 200 customers, 100 baristas, fsync always. "rewrites" were under way at some time of the measured stretch; their
 * processor time is Redis's. "file B/order" is what Redis appended, without what rewrites wrote. "keys left/order" name
 * an order and are not its record; "other keys" name none: indexes, and the shop's own. At most three rounds, for it is
 * long.
 */
import { CUSTOMERS, CYCLE_METRICS, goalsBesideTwin, measureCycle, NEXT } from "../harness/cycling.ts";
import { measureInTurn, type Finding, type Settings } from "../harness/comparison.ts";
import { BULLMQ, LONGPOUR } from "../harness/server.ts";

const TIMES_AS_LONG = 6;
const MOST_ROUNDS = 3;
const BARISTAS = 100;

const METRICS = [
  ...CYCLE_METRICS,
  { key: "keysLeft", label: "keys left/order", digits: 4 },
  { key: "otherKeys", label: "other keys", digits: 0 },
] as const;

export async function long(settings: Settings): Promise<Finding> {
  const seconds = settings.isQuick ? settings.seconds : settings.seconds * TIMES_AS_LONG;
  const own = { ...settings, seconds, rounds: Math.min(settings.rounds, MOST_ROUNDS) };
  const group = `${seconds} s`;
  const contenders = [
    { name: LONGPOUR.name, contender: LONGPOUR },
    { name: NEXT, contender: LONGPOUR, withNext: true },
    { name: BULLMQ.name, contender: BULLMQ },
  ];
  const variants = contenders.map(({ name, ...which }) => ({
    group,
    name,
    measure: () => measureCycle({ ...which, fsync: "always", baristas: BARISTAS, restSeconds: seconds }, own),
  }));
  const [perSecond] = METRICS;
  const left = [LONGPOUR.name, NEXT].map((name) => ({
    what: `${name}: keys left/order`,
    metric: "keysLeft",
    of: { group, name },
    atMost: 0,
  }));
  const comparison = {
    title: `${CUSTOMERS} customers, ${BARISTAS} baristas, appendfsync always; keys counted ${seconds} s after the last answer`,
    groupLabel: "measured",
    metrics: METRICS,
    series: await measureInTurn(variants, own),
    goals: [...goalsBesideTwin(group), ...left],
    charts: [{ file: "long-throughput.svg", title: "Orders a second", metric: perSecond, kind: "bar" as const }],
  };
  const remarks = own.rounds < settings.rounds ? [`${own.rounds} rounds in place of ${settings.rounds}.`] : [];
  return { comparisons: [comparison], remarks };
}
