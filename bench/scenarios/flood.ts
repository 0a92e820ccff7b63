/**
 * Flood: does the delusional customer, who asks without end from one address, slow the regulars down?
 *
 * 50 regulars, each from an address of their own, order now and then (200 a second together), and 20 baristas brew in no time;
 * the server's limits are its defaults. First calm; then 256 connections from 127.0.0.1 order as fast as they are answered,
 * which is the most that this machine can send; then, without the regulars, what a refusal costs Redis. In a shop of its own, the
 * same with floods of something else, each after a calm stretch of its own.
 * Load, servers and Redis share the machine's cores, so a part of what the regulars feel is the generator's own work.
 */
import { clock } from "../harness/clock.ts";
import type { Comparison, Finding, Sample, Settings } from "../harness/comparison.ts";
import { Connection, endpointOf } from "../harness/connection.ts";
import { checkDelivery } from "../harness/delivery.ts";
import type { Part } from "../harness/fleet.ts";
import { emptyReport, mergeReports, note, type Report } from "../harness/report.ts";
import { readOrder, requestsTo, type FloodRequest } from "../harness/requests.ts";
import { LONGPOUR } from "../harness/server.ts";
import { inShop, type Shop } from "../harness/shop.ts";
import { quantile, within, type Window } from "../harness/statistics.ts";

const REGULARS = 50;
const PAUSE_MS = 250;
const FLOODERS = 256;
const BARISTAS = 20;

/** The defaults: the harness lifts them elsewhere. */
const LIMITS = {
  REQUESTS_PER_SECOND: "200",
  LIMIT_CAPACITY: "250",
  LIMIT_REFILL_PER_SECOND: "1",
  MAX_HELD: "20000",
  MAX_HELD_PER_ADDRESS: "300",
};

const METRICS = [
  { key: "p50", label: "regulars p50 ms", digits: 2 },
  { key: "p99", label: "regulars p99 ms", digits: 2 },
  { key: "refusedPerSecond", label: "refused/s", digits: 0 },
  { key: "commandsPerRefusal", label: "Redis commands/refusal", digits: 4 },
] as const;

/** A key that an order was placed under: asking for it again takes no token. */
const PAID_KEY = "4f9e8c52-6d0b-4e0a-9c35-71ab20d6f8e3";

/** What else is asked for without end, and how who is let in is answered. `paidId` is the order under PAID_KEY, ready long ago. */
const FLOODS: Readonly<Record<string, (paidId: string) => { request: FloodRequest; expected: readonly number[] }>> = {
  "GET /swagger/json": () => ({ request: { method: "GET", path: "/swagger/json" }, expected: [200] }),
  "GET /coffees": () => ({ request: { method: "GET", path: "/coffees" }, expected: [200] }),
  "PUT /order/:id": (paidId) => ({
    request: { method: "PUT", path: `/order/${paidId}`, body: '{"item":"latte"}' },
    expected: [409],
  }),
  "POST /order/, one paid key": () => ({
    request: { method: "POST", path: "/order/", headers: { "Idempotency-Key": PAID_KEY } },
    expected: [200],
  }),
};

const FLOOD_METRICS = [
  { key: "p50", label: "regulars p50 ms", digits: 2 },
  { key: "p99", label: "regulars p99 ms", digits: 2 },
  { key: "servedPerSecond", label: "let in/s", digits: 0 },
  { key: "refusedPerSecond", label: "refused/s", digits: 0 },
] as const;

/** A stretch of the run: what the regulars saw, and how many orders were refused in it. */
interface Stretch {
  readonly window: Window;
  readonly served: number;
  readonly refused: number;
}

/** A flood's calm, and its storm. */
type Pair = Readonly<Record<"calm" | "flood", Sample>>;

export async function flood(settings: Settings): Promise<Finding> {
  const samples: Pair[] = [];
  const others: Readonly<Record<string, Pair>>[] = [];
  for (let round = 0; round < settings.rounds; round++) {
    settings.onRun({ text: `round ${round + 1} of ${settings.rounds}`, index: round, total: settings.rounds });
    samples.push(await measureFlood(settings));
    others.push(await measureOthers(settings));
  }
  const place = (group: "calm" | "flood") => ({ group, name: LONGPOUR.name });
  const series = (["calm", "flood"] as const).map((group) => ({
    ...place(group),
    samples: samples.map((sample) => sample[group]),
  }));
  const [, p99] = METRICS;
  const comparison = {
    title: `${REGULARS} regulars, calm and while ${FLOODERS} connections of one address order without end`,
    groupLabel: "",
    metrics: METRICS,
    series,
    goals: [
      { what: "regulars' p99, flood of calm", metric: "p99", of: place("flood"), to: place("calm"), atMost: 1.5 },
      { what: "Redis commands/refusal", metric: "commandsPerRefusal", of: place("flood"), atMost: 0.1 },
    ],
    charts: [{ file: "flood.svg", title: "Regulars' whole wait, p99", metric: p99, kind: "bar" as const }],
  };
  return {
    comparisons: [comparison, compareOthers(others)],
    remarks: [
      "What a refusal still costs Redis: the one order a second that the flooding address is allowed, and the requests that " +
        "ask for it at the same moment. Commands within scripts count too.",
    ],
  };
}

function compareOthers(rounds: readonly Readonly<Record<string, Pair>>[]): Comparison {
  const names = Object.keys(FLOODS);
  const series = names.flatMap((group) =>
    (["calm", "flood"] as const).map((name) => ({
      group,
      name,
      samples: rounds.map((round) => round[group]?.[name] ?? {}),
    })),
  );
  const goals = names.map((group) => ({
    what: `regulars' p99, ${group}`,
    metric: "p99",
    of: { group, name: "flood" },
    to: { group, name: "calm" },
    atMost: 2,
  }));
  const title = `${REGULARS} regulars, calm and while ${FLOODERS} connections of one address ask for something else`;
  return { title, groupLabel: "flood", metrics: FLOOD_METRICS, series, goals, charts: [] };
}

/** Staff and regulars at work, for long enough that the server is warm. */
async function openShop({ fleet, server }: Shop, settings: Settings): Promise<{ staff: Part; regulars: Part }> {
  const staff = await fleet.begin({ role: "baristas", url: server.baristas, count: BARISTAS });
  const from = Array.from({ length: REGULARS }, (_, index) => `127.0.1.${index + 1}`);
  const guests = { role: "customers", count: REGULARS, prefix: "regular-", from, pauseMs: PAUSE_MS } as const;
  const regulars = await fleet.begin({ ...guests, url: server.customers });
  await Bun.sleep(settings.isQuick ? 500 : 3000);
  return { staff, regulars };
}

async function measureOthers(settings: Settings): Promise<Readonly<Record<string, Pair>>> {
  return await inShop({ contender: LONGPOUR, environment: LIMITS, loads: 2 }, async (shop) => {
    const { customers: url } = shop.server;
    const { staff, regulars } = await openShop(shop, settings);
    const paid = await payForOrder(url);
    const reports = [paid];
    const stretches: (readonly [name: string, calm: Stretch, storm: Stretch])[] = [];
    for (const [name, floodOf] of Object.entries(FLOODS)) {
      const calm = await stretch(settings);
      const spec = { role: "flooders", url, count: FLOODERS, ...floodOf(paid.answered.ids[0] ?? "") } as const;
      const flooders = await shop.fleet.begin(spec, 1);
      await Bun.sleep(settings.isQuick ? 500 : 2000);
      stretches.push([name, calm, await stretch(settings, flooders)]);
      reports.push(await flooders.end());
    }
    const seen = await regulars.end();
    checkDelivery(mergeReports([...reports, seen, await staff.end()]));
    return Object.fromEntries(
      stretches.map(([name, calm, storm]) => {
        const rates = {
          servedPerSecond: storm.served / settings.seconds,
          refusedPerSecond: storm.refused / settings.seconds,
        };
        return [name, { calm: describe(seen, calm), flood: { ...describe(seen, storm), ...rates } }];
      }),
    );
  });
}

/** Places the order that the last flood asks for again and again, and waits for it. */
async function payForOrder(url: string): Promise<Report> {
  const report = emptyReport();
  report.sent += 1;
  const sentAt = clock();
  const connection = await Connection.open(endpointOf(url));
  const request = { method: "POST", path: "/order/", headers: { "Idempotency-Key": PAID_KEY } };
  const { status, body } = await connection.send(requestsTo(endpointOf(url)).flood(request));
  connection.close();
  if (status !== 200) throw new Error(`the paid order was answered ${status}`);
  note(report.answered, readOrder(body).order_id, sentAt);
  return report;
}

async function measureFlood(settings: Settings): Promise<Pair> {
  return await inShop({ contender: LONGPOUR, environment: LIMITS, loads: 2 }, async (shop) => {
    const { customers: url } = shop.server;
    const { staff, regulars } = await openShop(shop, settings);
    const calm = await stretch(settings);

    const many = { role: "customers", url, count: FLOODERS, prefix: "flood-", isFlood: true } as const;
    const flooders = await shop.fleet.begin(many, 1);
    await Bun.sleep(settings.isQuick ? 500 : 2000);
    const storm = await stretch(settings, flooders);

    const seen = await regulars.end();
    const commandsPerRefusal = await countCommands(shop, flooders, settings);
    const report = mergeReports([seen, await flooders.end(), await staff.end()]);
    checkDelivery(report);
    return {
      calm: describe(seen, calm),
      flood: { ...describe(seen, storm), refusedPerSecond: storm.refused / settings.seconds, commandsPerRefusal },
    };
  });
}

async function stretch({ seconds }: Settings, flooders?: Part): Promise<Stretch> {
  const before = await flooders?.count();
  const from = clock();
  await Bun.sleep(seconds * 1000);
  const window = { from, until: clock() };
  const after = await flooders?.count();
  const since = (what: "served" | "refused"): number => (after?.[what] ?? 0) - (before?.[what] ?? 0);
  return { window, served: since("served"), refused: since("refused") };
}

/** What Redis is asked while nobody but the flood orders, for each order refused. */
async function countCommands({ redis }: Shop, flooders: Part, settings: Settings): Promise<number> {
  const before = await redis.countCommands();
  const { refused } = await stretch(settings, flooders);
  return ((await redis.countCommands()) - before) / refused;
}

function describe({ answered }: Report, { window }: Stretch): Sample {
  const { tookMs } = within(answered, window);
  return { p50: quantile(tookMs, 0.5), p99: quantile(tookMs, 0.99) };
}
