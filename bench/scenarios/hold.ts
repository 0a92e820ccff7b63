/**
 * Hold: what a waiting customer costs, and how soon they have their answer once their order is finished.
 *
 * 1,000 to 16,000 customers are held, the server warm. Memory counts against the same server at rest before they came.
 * Then 200 orders a second are finished through the baristas' port, by the clock, and as many started; who is answered
 * orders again, so as many are held throughout. Latency: from the sending of a finish to the last byte at its customer.
 *
 * "heartbeats begun": after HEARTBEAT_SECONDS a held answer begins, with a space now and then, which costs a stream and
 * a timer. "another replica": the baristas finish at a second server on the same Redis; memory is that of the
 * customers' server. Nchan (nginx, long-poll, one worker, messages in memory only, nothing durable): publish to the
 * subscriber's last byte.
 */
import { measureInTurn, type Comparison, type Finding, type Goal, type Settings } from "../harness/comparison.ts";
import { openFilesLimit } from "../harness/process.ts";
import { findNchan } from "../harness/nchan.ts";
import { HOLD_METRICS, measureLongpour, measureNchan } from "../harness/holding.ts";

const LONGPOUR = "Longpour";
const BEGUN = "Longpour, heartbeats begun";
const ELSEWHERE = "Longpour, another replica";
const NCHAN = "Nchan";

/** Connections beside the customers': lanes, baristas, files. */
const SPARE_FILES = 500;
/** LANES and 6. */
const MOST_REDIS_CONNECTIONS = 70;

const groupOf = (size: number): string => size.toLocaleString("en");

export async function hold(settings: Settings): Promise<Finding> {
  const wanted = settings.isQuick ? [100, 300] : [1000, 5000, 9000, 16_000];
  const sizes = wanted.filter((size) => size + SPARE_FILES <= openFilesLimit());
  const [few = 0, many = 0] = settings.isQuick ? wanted : [1000, 9000];
  const nchan = findNchan();

  const variants = sizes.flatMap((size) => {
    const place = (name: string) => ({ group: groupOf(size), name });
    const isEnd = size === few || size === many;
    return [
      { ...place(LONGPOUR), measure: () => measureLongpour({ size }, settings) },
      ...(size === many
        ? [
            { ...place(BEGUN), measure: () => measureLongpour({ size, isBegun: true }, settings) },
            { ...place(ELSEWHERE), measure: () => measureLongpour({ size, isElsewhere: true }, settings) },
          ]
        : []),
      ...(isEnd && nchan ? [{ ...place(NCHAN), measure: () => measureNchan({ size, module: nchan }, settings) }] : []),
    ];
  });
  const [serverKib, , , , p99] = HOLD_METRICS;
  const comparison: Comparison = {
    title: "Held customers, 200 finishes a second",
    groupLabel: "held",
    metrics: HOLD_METRICS,
    series: await measureInTurn(variants, settings),
    goals: goalsOf({ sizes, few, many, hasNchan: nchan !== undefined }),
    charts: [
      { file: "hold-memory.svg", title: "Server memory for each held customer", metric: serverKib, kind: "bar" },
      { file: "hold-p99.svg", title: "Finish to the customer's last byte, p99", metric: p99, kind: "bar" },
    ],
  };
  const remarks = [
    ...wanted
      .filter((size) => !sizes.includes(size))
      .map((size) => `${groupOf(size)} left out: the limit of open files is too low.`),
    ...(nchan ? [] : ["Nchan left out: ngx_nchan_module.so is not installed (libnginx-mod-nchan on Debian)."]),
  ];
  return { comparisons: [comparison], remarks };
}

interface Sizes {
  readonly sizes: readonly number[];
  readonly few: number;
  readonly many: number;
  readonly hasNchan: boolean;
}

function goalsOf({ sizes, few, many, hasNchan }: Sizes): Goal[] {
  const at = (size: number, name = LONGPOUR) => ({ group: groupOf(size), name });
  const connections = sizes.map((size): Goal => {
    const what = `Redis connections at ${groupOf(size)}`;
    return { what, metric: "connections", of: at(size), atMost: MOST_REDIS_CONNECTIONS };
  });
  const p99 = { metric: "p99", of: at(many) };
  const beside = { of: at(many), to: at(many, NCHAN) };
  const besideNchan = [
    { what: `finish to answer p50 at ${groupOf(many)}, of Nchan's`, metric: "p50", ...beside, atMost: 5 },
    { what: `p99 at ${groupOf(many)}, of Nchan's`, metric: "p99", ...beside, atMost: 10 },
  ];
  const elsewhere = { metric: "p99", of: at(many, ELSEWHERE), to: at(many), atMost: 2 };
  return [
    { what: `server KiB at ${groupOf(many)}`, metric: "serverKib", of: at(many), atMost: 5.5 },
    { what: "heartbeats begun", metric: "serverKib", of: at(many, BEGUN), atMost: 7.5 },
    { what: `Redis KiB at ${groupOf(many)}`, metric: "redisKib", of: at(many), atMost: 1 },
    ...connections,
    { what: `p99, at ${groupOf(many)} of at ${groupOf(few)}`, ...p99, to: at(few), atMost: 1.5 },
    { what: `p99 at ${groupOf(many)}, another replica of the same`, ...elsewhere },
    ...(hasNchan ? besideNchan : []),
  ];
}
