/**
 * Growth: does a long queue make anything slower?
 *
 * 0, 10,000 and 100,000 orders are queued first. Then a closed loop of 100: place an order (`Prefer: respond-async`, so
 * it joins the end), start the oldest (from the head), finish it. Orders come and go at equal rates, so the queue keeps
 * its length. Customers are not held here: they would wait behind the backlog, and that wait would be all there is to
 * see.
 */
import { lookAtQueue } from "../../test/support/http.ts";
import { barChart, measureInTurn, sizeLabel, type Finding, type Sample, type Settings } from "../harness/comparison.ts";
import { beginEach, type Crew } from "../harness/crew.ts";
import { countAll } from "../harness/fleet.ts";
import { finish, place, start } from "../harness/people.ts";
import { checkDelivery } from "../harness/report.ts";
import { inShop, LONGPOUR } from "../harness/shop.ts";
import { measureUsage, quantile, USAGE_METRICS, within } from "../harness/stretch.ts";

const CYCLERS = 100;

const METRICS = [
  { key: "perSecond", label: "orders/s", digits: 0 },
  { key: "placeP99", label: "place p99 ms", digits: 1 },
  { key: "startP99", label: "start p99 ms", digits: 1 },
  { key: "finishP99", label: "finish p99 ms", digits: 1 },
  ...USAGE_METRICS,
] as const;

/** `backlog` orders are placed before the first is started. */
type CyclersSpec = Readonly<Record<"customers" | "baristas", string> & Record<"count" | "backlog", number>>;

export async function cyclers(crew: Crew, { customers, baristas, count, backlog }: CyclersSpec): Promise<void> {
  const { report } = crew;
  const lines: (() => Promise<string>)[] = [];
  let placed = 0;
  await beginEach(count, async () => {
    const connection = await crew.open(customers);
    lines.push(() => place(report, connection, `n${placed++}`));
  });
  const fill = async (order: () => Promise<string>): Promise<void> => {
    while (placed < backlog) await order();
  };
  await Promise.all(lines.map(fill));
  // Only now, for a server closes connections that idle.
  await Promise.all(
    lines.map(async (order, index) => {
      const barista = { connection: await crew.open(baristas), name: `cycler-${index + 1}` };
      crew.loop(async () => {
        await order();
        const orderId = await start(report, barista, 5);
        if (orderId === undefined) throw new Error("there was no order to start");
        await finish(report, barista, orderId);
      });
    }),
  );
}

export async function growth(settings: Settings): Promise<Finding> {
  const backlogs = settings.isQuick ? [0, 1000, 5000] : [0, 10_000, 100_000];
  const placeOf = (backlog = 0) => ({ group: sizeLabel(backlog), name: LONGPOUR.name });
  const variants = backlogs.map((backlog) => ({ ...placeOf(backlog), measure: () => measure(backlog, settings) }));
  const ends = { of: placeOf(backlogs.at(-1)), to: placeOf(backlogs[0]) };
  const comparison = {
    title: `Place, start and finish in a closed loop of ${CYCLERS}`,
    groupLabel: "queued before",
    metrics: METRICS,
    series: await measureInTurn(variants, settings),
    goals: [{ what: "orders/s, longest queue of empty", metric: "perSecond", ...ends, atLeast: 0.9 }],
    charts: [barChart("growth.svg", "Orders a second behind a backlog", METRICS[0])],
  };
  return { comparisons: [comparison], remarks: [] };
}

async function measure(backlog: number, { seconds, isQuick }: Settings): Promise<Sample> {
  return await inShop({ contender: LONGPOUR }, async (shop) => {
    const { customers, baristas } = shop.server;
    const part = await shop.fleet.begin(cyclers, { customers, baristas, count: CYCLERS, backlog });
    await Bun.sleep(isQuick ? 500 : 3000);
    const { window, usage } = await measureUsage(shop, seconds, () => countAll([part], "finished"));
    const report = await part.end();
    const { depth } = await lookAtQueue(shop.server);
    checkDelivery([report], depth);
    const p99 = (of: "placed" | "started" | "finished"): number => quantile(within(report[of], window).tookMs, 0.99);
    const p99s = { placeP99: p99("placed"), startP99: p99("started"), finishP99: p99("finished") };
    return { perSecond: within(report.finished, window).perSecond, ...p99s, ...usage };
  });
}
