/**
 * Growth: does a long queue make anything slower?
 *
 * 0, 10,000 and 100,000 orders are queued first. Then a closed loop of 100: place an order (`Prefer: respond-async`, so
 * it joins the end), start the oldest (from the head), finish it. Orders come and go at equal rates, so the queue keeps
 * its length. Customers are not held here: they would wait behind the backlog, and that wait would be all there is to
 * see.
 */
import { clock } from "../harness/clock.ts";
import { measureInTurn, type Finding, type Sample, type Settings } from "../harness/comparison.ts";
import { checkDelivery } from "../harness/delivery.ts";
import { LONGPOUR } from "../harness/server.ts";
import { inShop } from "../harness/shop.ts";
import { quantile, within } from "../harness/statistics.ts";
import { measureUsage, USAGE_METRICS } from "../harness/usage.ts";

const CYCLERS = 100;

const METRICS = [
  { key: "perSecond", label: "orders/s", digits: 0 },
  { key: "placeP99", label: "place p99 ms", digits: 1 },
  { key: "startP99", label: "start p99 ms", digits: 1 },
  { key: "finishP99", label: "finish p99 ms", digits: 1 },
  ...USAGE_METRICS,
] as const;

export async function growth(settings: Settings): Promise<Finding> {
  const backlogs = settings.isQuick ? [0, 1000, 5000] : [0, 10_000, 100_000];
  const name = LONGPOUR.name;
  const groups = backlogs.map((backlog) => ({ backlog, place: { group: backlog.toLocaleString("en"), name } }));
  const variants = groups.map(({ backlog, place }) => ({ ...place, measure: () => measureGrowth(backlog, settings) }));
  const [empty, , longest] = groups.map(({ place }) => place);
  const [perSecond] = METRICS;
  const comparison = {
    title: `Place, start and finish in a closed loop of ${CYCLERS}`,
    groupLabel: "queued before",
    metrics: METRICS,
    series: await measureInTurn(variants, settings),
    goals:
      empty && longest
        ? [{ what: "orders/s, longest queue of empty", metric: "perSecond", of: longest, to: empty, atLeast: 0.9 }]
        : [],
    charts: [
      { file: "growth.svg", title: "Orders a second behind a backlog", metric: perSecond, kind: "bar" as const },
    ],
  };
  return { comparisons: [comparison], remarks: [] };
}

async function measureGrowth(backlog: number, { seconds, isQuick }: Settings): Promise<Sample> {
  return await inShop({ contender: LONGPOUR }, async (shop) => {
    const { server, fleet } = shop;
    const { customers, baristas } = server;
    const part = await fleet.begin({ role: "cyclers", customers, baristas, count: CYCLERS, backlog });
    await Bun.sleep(isQuick ? 500 : 3000);
    const before = (await part.count()).finished;
    const usage = await measureUsage(shop);
    const from = clock();
    await Bun.sleep(seconds * 1000);
    const until = clock();
    const used = await usage((await part.count()).finished - before);

    const report = await part.end();
    const { depth } = (await (await fetch(`${baristas}/queue`)).json()) as { depth: number };
    checkDelivery(report, { stillQueued: depth });
    const p99 = (of: "placed" | "started" | "finished"): number =>
      quantile(within(report[of], { from, until }).tookMs, 0.99);
    const { perSecond } = within(report.finished, { from, until });
    return { perSecond, placeP99: p99("placed"), startP99: p99("started"), finishP99: p99("finished"), ...used };
  });
}
