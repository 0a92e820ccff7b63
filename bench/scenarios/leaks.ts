/**
 * Leaks: does the server grow?
 *
 * 200 customers and 20 baristas go round, while others order and hang up after at most 100 ms. After a warm-up, and
 * then five times, the load rests, and the least memory seen over some seconds counts. One run, however many rounds: it
 * is long.
 */
import { until } from "../../test/support/until.ts";
import { sizeLabel, type Finding, type Series, type Settings } from "../harness/comparison.ts";
import type { Crew } from "../harness/crew.ts";
import { countAll, endAll } from "../harness/fleet.ts";
import { Connection } from "../harness/http.ts";
import { baristas, customers, order, waitFor, type CustomersSpec } from "../harness/people.ts";
import { residentKib, settled } from "../harness/process.ts";
import { checkDelivery, mergeReports, type Report } from "../harness/report.ts";
import { inShop, LONGPOUR, type Shop } from "../harness/shop.ts";

const CUSTOMERS = 200;
const QUITTERS = 20;
const PATIENCE_MS = 100;
const BARISTAS = 20;
const STEPS = 5;
const STEP_TIMEOUT_MS = 300_000;
const MEBIBYTE_KIB = 1024;

const METRICS = [
  { key: "residentMib", label: "server RSS MiB", digits: 1 },
  { key: "left", label: "hang-ups so far", digits: 0 },
] as const;

type QuittersSpec = Pick<CustomersSpec, "url" | "count" | "prefix">;

/** Each orders on a connection of their own, hangs up after a random time, and comes again, or is answered first. */
export async function quitters(crew: Crew, { url, count, prefix }: QuittersSpec): Promise<void> {
  for (let index = 0; index < count; index++) {
    crew.loop(async (visit) => {
      const connection = await Connection.open(url);
      const timer = setTimeout(() => connection.close(), Math.random() * PATIENCE_MS);
      const name = `${prefix}${index}.${visit}`;
      await waitFor(crew.report, name, () => order(connection, name)).catch(() => void (crew.report.left += 1));
      clearTimeout(timer);
      connection.close();
    });
  }
}

/** What one step of the load has to reach. */
type Step = Readonly<Record<"orders" | "left", number>>;

export async function leaks(settings: Settings): Promise<Finding> {
  const each: Step = settings.isQuick ? { orders: 1000, left: 100 } : { orders: 40_000, left: 4000 };
  const series = await inShop({ contender: LONGPOUR }, (shop) => measureSteps(shop, each, settings));
  const [to, of] = [series[0], series.at(-1)];
  const steps = `${sizeLabel(each.orders)} orders and ${sizeLabel(each.left)} hang-ups`;
  const comparison = {
    title: `Memory after a warm-up, and after each ${steps} more`,
    groupLabel: "orders so far",
    metrics: METRICS,
    series,
    goals: of && to ? [{ what: "RSS, end of warm", metric: "residentMib", of, to, atMost: 1.05 }] : [],
    charts: [{ file: "leaks.svg", title: "The server's memory at rest", metric: METRICS[0], kind: "line" as const }],
  };
  return { comparisons: [comparison], remarks: [] };
}

async function measureSteps(shop: Shop, each: Step, settings: Settings): Promise<Series[]> {
  const staff = await shop.fleet.begin(baristas, { url: shop.server.baristas, count: BARISTAS });
  const reports: Report[] = [];
  const series: Series[] = [];
  for (let step = 0; step <= STEPS; step++) {
    settings.onRun({ text: step === 0 ? "warm-up" : `step ${step} of ${STEPS}`, index: step, total: STEPS + 1 });
    reports.push(...(await runStep(shop, each, step)));
    const kib = await settled(() => residentKib([shop.server.process.pid]), settings.isQuick ? 1 : 10);
    const { answered, left } = mergeReports(reports);
    const sample = { residentMib: kib / MEBIBYTE_KIB, left };
    series.push({ group: sizeLabel(answered.ids.length), name: LONGPOUR.name, samples: [sample] });
  }
  checkDelivery([...reports, await staff.end()]);
  return series;
}

/** Loads the server until both numbers are reached, and lets it come to rest. */
async function runStep({ fleet, server }: Shop, { orders, left }: Step, step: number): Promise<Report[]> {
  const { customers: url } = server;
  const guests = [await fleet.begin(customers, { url, count: CUSTOMERS, prefix: `c${step}-` })];
  const leavers = [await fleet.begin(quitters, { url, count: QUITTERS, prefix: `q${step}-` })];
  const isDone = async (): Promise<boolean> =>
    (await countAll(guests, "answered")) >= orders && (await countAll(leavers, "left")) >= left;
  await until(isDone, `${orders} orders and ${left} hang-ups`, STEP_TIMEOUT_MS);
  return await endAll([...guests, ...leavers]);
}
