/**
 * Listeners: what somebody who listens to events costs, and how soon they hear.
 *
 * 1,000 and 5,000 listen to the whole shop at the baristas' port, the server warm. Memory counts against the same
 * server at rest before they came. Then 10 orders a second are placed by the clock, and everybody hears of each.
 * Latency: from the sending of an order to its event at a listener; the order's own answer (202) shows how much of it
 * is placing it. As many customers, each of whom listens to an order of their own, cost memory only.
 */
import { measureInTurn, type Finding, type Settings } from "../harness/comparison.ts";
import { LISTEN_METRICS, measureCustomers, measureStaff } from "../harness/listening.ts";
import { openFilesLimit } from "../harness/process.ts";

const STAFF = "the whole shop";
const CUSTOMERS = "an order each";

/** Connections beside the listeners': Redis, orders, files. */
const SPARE_FILES = 500;

const groupOf = (size: number): string => size.toLocaleString("en");

export async function listeners(settings: Settings): Promise<Finding> {
  const wanted = settings.isQuick ? [100, 300] : [1000, 5000];
  const sizes = wanted.filter((size) => size + SPARE_FILES <= openFilesLimit());
  const variants = sizes.flatMap((size) => [
    { group: groupOf(size), name: STAFF, measure: () => measureStaff(size, settings) },
    { group: groupOf(size), name: CUSTOMERS, measure: () => measureCustomers(size, settings) },
  ]);
  const goals = sizes.flatMap((size) =>
    [STAFF, CUSTOMERS].map((name) => ({
      what: `Redis connections for ${groupOf(size)}, ${name}`,
      metric: "connections",
      of: { group: groupOf(size), name },
      atMost: 1,
    })),
  );
  const [serverKib] = LISTEN_METRICS;
  const comparison = {
    title: "Listeners, 10 events a second",
    groupLabel: "listeners",
    metrics: LISTEN_METRICS,
    series: await measureInTurn(variants, settings),
    goals,
    charts: [
      {
        file: "listeners-memory.svg",
        title: "Server memory for each listener",
        metric: serverKib,
        kind: "bar" as const,
      },
    ],
  };
  const remarks = wanted
    .filter((size) => !sizes.includes(size))
    .map((size) => `${groupOf(size)} left out: the limit of open files is too low.`);
  return { comparisons: [comparison], remarks };
}
