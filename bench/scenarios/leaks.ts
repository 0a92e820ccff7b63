/**
 * Leaks: does the server grow?
 *
 * 200 customers and 20 baristas go round, while others order and hang up after at most 100 ms. After a warm-up, and
 * then five times, the load rests, and the least memory seen over some seconds counts. One run, however many rounds: it
 * is long.
 */
import type { Finding, Series, Settings } from "../harness/comparison.ts";
import { checkDelivery } from "../harness/delivery.ts";
import { mergeReports, type Report } from "../harness/report.ts";
import { LONGPOUR } from "../harness/server.ts";
import { settled, until } from "../harness/settle.ts";
import { inShop, type Shop } from "../harness/shop.ts";

const BARISTAS = 20;
const LOADS = { customers: 200, quitters: 20, patienceMs: 100 };
const STEPS = 5;
const STEP_BOUND_SECONDS = 300;
const MEBIBYTE_KIB = 1024;

const METRICS = [
  { key: "residentMib", label: "server RSS MiB", digits: 1 },
  { key: "left", label: "hang-ups so far", digits: 0 },
] as const;

/** What one step of the load has to reach. */
interface Step {
  readonly orders: number;
  readonly left: number;
}

export async function leaks(settings: Settings): Promise<Finding> {
  const each: Step = settings.isQuick ? { orders: 1000, left: 100 } : { orders: 40_000, left: 4000 };
  const series = await inShop({ contender: LONGPOUR }, (shop) => measureSteps(shop, each, settings));
  const [first, last] = [series[0], series.at(-1)];
  const [residentMib] = METRICS;
  const comparison = {
    title: `Memory after a warm-up, and after each ${each.orders.toLocaleString("en")} orders and ${each.left.toLocaleString("en")} hang-ups more`,
    groupLabel: "orders so far",
    metrics: METRICS,
    series,
    goals:
      first && last ? [{ what: "RSS, end of warm", metric: "residentMib", of: last, to: first, atMost: 1.05 }] : [],
    charts: [{ file: "leaks.svg", title: "The server's memory at rest", metric: residentMib, kind: "line" as const }],
  };
  return { comparisons: [comparison], remarks: [] };
}

async function measureSteps(shop: Shop, each: Step, settings: Settings): Promise<Series[]> {
  const staff = await shop.fleet.begin({ role: "baristas", url: shop.server.baristas, count: BARISTAS });
  const reports: Report[] = [];
  const series: Series[] = [];
  for (let step = 0; step <= STEPS; step++) {
    settings.onRun({ text: step === 0 ? "warm-up" : `step ${step} of ${STEPS}`, index: step, total: STEPS + 1 });
    reports.push(...(await runStep(shop, each, step)));
    const residentKib = await settled(() => shop.server.residentKib, settings.isQuick ? 1 : 10);
    const { answered, left } = mergeReports(reports);
    const sample = { residentMib: residentKib / MEBIBYTE_KIB, left };
    series.push({ group: answered.ids.length.toLocaleString("en"), name: LONGPOUR.name, samples: [sample] });
  }
  checkDelivery(mergeReports([...reports, await staff.end()]));
  return series;
}

/** Loads the server until both numbers are reached, and lets it come to rest. */
async function runStep({ fleet, server }: Shop, { orders, left }: Step, step: number): Promise<Report[]> {
  const url = server.customers;
  const { customers: count, quitters, patienceMs } = LOADS;
  const parts = await Promise.all([
    fleet.begin({ role: "customers", url, count, prefix: `c${step}-` }),
    fleet.begin({ role: "quitters", url, count: quitters, patienceMs, prefix: `q${step}-` }),
  ]);
  const [guests, leavers] = parts;
  const isDone = async (): Promise<boolean> =>
    (await guests.count()).answered >= orders && (await leavers.count()).left >= left;
  await until(isDone, `${orders} orders and ${left} hang-ups`, STEP_BOUND_SECONDS);
  return await Promise.all(parts.map((part) => part.end()));
}
