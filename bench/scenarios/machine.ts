/**
 * Machine: how fast calls go round where the barista is code inside the server, and what one costs.
 *
 * 200 customers in a closed loop: each calls a [machine of no work](../machines/no-work.ts), is held until the 200 with
 * the result, and calls again. BullMQ's twin runs the same function in a Worker of its server's process. Both make 50
 * at once: with 1, BullMQ's default, only the way to Redis and back would be measured, and with 20 both are slower. One
 * server process, the same Redis settings over TCP, the same load. Both check the input's schema.
 *
 * Every run is checked: each call is answered once, with its own result, and as many were made as were answered.
 */
import { fileURLToPath } from "node:url";
import { barChart, measureInTurn, type Finding, type Sample, type Settings } from "../harness/comparison.ts";
import { beginEach, type Crew } from "../harness/crew.ts";
import { countAll, endAll } from "../harness/fleet.ts";
import type { Answer } from "../harness/http.ts";
import type { Fsync } from "../harness/redis.ts";
import { checkCalls, clock, mergeReports, note, noteFault, type Report } from "../harness/report.ts";
import { BULLMQ, inShop, LONGPOUR, type Contender } from "../harness/shop.ts";
import { measureUsage, quantile, USAGE_METRICS, within } from "../harness/stretch.ts";

const CUSTOMERS = 200;
const QUEUE = "no-work";
const MACHINES = fileURLToPath(new URL("../machines/no-work.ts", import.meta.url));
const TWIN: Contender = { ...BULLMQ, main: "bench/peers/bullmq-machine.ts" };

const METRICS = [
  { key: "perSecond", label: "calls/s", digits: 0 },
  { key: "p50", label: "wait p50 ms", digits: 1 },
  { key: "p99", label: "wait p99 ms", digits: 1 },
  ...USAGE_METRICS,
] as const;
const [PER_SECOND, , P99] = METRICS;

/** What of an answered call the load looks at. */
type WireCall = { readonly order_id: string; readonly result: { readonly note: string; readonly made: number } };

export async function machine(settings: Settings): Promise<Finding> {
  const contenders = [LONGPOUR, TWIN];
  const variants = (["always", "everysec"] as const).flatMap((fsync) =>
    contenders.map((contender) => {
      return { group: fsync, name: contender.name, measure: () => measure(contender, fsync, settings) };
    }),
  );
  const comparison = {
    title: `${CUSTOMERS} customers call a machine of no work inside the server`,
    groupLabel: "appendfsync",
    metrics: METRICS,
    series: await measureInTurn(variants, settings),
    goals: [],
    charts: [
      barChart("machine-throughput.svg", "Calls a second of a machine of no work", PER_SECOND),
      barChart("machine-p99.svg", "Whole wait of a call, p99", P99),
    ],
  };
  return { comparisons: [comparison], remarks: [] };
}

async function measure(contender: Contender, fsync: Fsync, { seconds, isQuick }: Settings): Promise<Sample> {
  return await inShop({ contender, fsync, environment: { MACHINES } }, async (shop) => {
    const calls = [await shop.fleet.begin(callers, { url: shop.server.customers, count: CUSTOMERS })];
    await Bun.sleep(isQuick ? 500 : 3000);
    const { window, usage } = await measureUsage(shop, seconds, () => countAll(calls, "answered"));
    const report = mergeReports(await endAll(calls));
    checkCalls(report);
    const { perSecond, tookMs } = within(report.answered, window);
    return { perSecond, p50: quantile(tookMs, 0.5), p99: quantile(tookMs, 0.99), ...usage };
  });
}

/** Customers in a closed loop: each calls the machine, is held until its answer, and calls again. */
export async function callers(crew: Crew, { url, count }: { url: string; count: number }): Promise<void> {
  const { report } = crew;
  await beginEach(count, async (index) => {
    const connection = await crew.open(url);
    crew.loop(async (visit) => {
      const name = `${index}.${visit}`;
      report.sent += 1;
      const sentAt = clock();
      noteAnswer(report, await connection.send("POST", `/queue/${QUEUE}/`, { json: `{"note":"${name}"}` }), {
        name,
        sentAt,
      });
    });
  });
}

function noteAnswer(report: Report, { status, body }: Answer, asked: { name: string; sentAt: number }): void {
  if (status !== 200) return noteFault(report, `a customer was answered ${status}`);
  const { order_id: orderId, result } = JSON.parse(body) as WireCall;
  if (result.note !== asked.name) return noteFault(report, "a customer got another's result");
  report.made = Math.max(report.made, result.made);
  note(report.answered, orderId, asked.sentAt);
}
