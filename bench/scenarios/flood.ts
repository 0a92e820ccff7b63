/**
 * Flood: does the delusional customer, who asks without end from one address, slow the regulars down?
 *
 * 100 regulars, each from an address of their own, order now and then (200 a second together), and 20 baristas brew in
 * no time; the server's limits are its defaults. Calm and flood take turns in short stretches, so that a stall of the
 * machine hits both alike: in a flood 256 connections from 127.0.0.1 order as fast as they are answered, which is the
 * most that this machine can send. All stretches of a kind count together. Then, without the regulars, what a refusal
 * costs Redis. In a shop of its own, the same with floods of something else, each beside calm stretches of its own.
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
import { takeTurns, type Turns } from "../harness/turns.ts";

/** So many, with such pauses, that none runs out of tokens while the floods last. */
const REGULARS = 100;
const PAUSE_MS = 500;
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

/**
 * What else is asked for without end, and how who is let in is answered. `paidId` is the order under PAID_KEY, ready
 * long ago.
 */
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
    const turns: (readonly [name: string, turns: Turns])[] = [];
    for (const [name, floodOf] of Object.entries(FLOODS)) {
      const spec = { role: "flooders", url, count: FLOODERS, ...floodOf(paid.answered.ids[0] ?? "") } as const;
      turns.push([name, await takeTurns(() => shop.fleet.begin(spec, 1), settings)]);
    }
    const seen = await regulars.end();
    const reports = turns.flatMap(([, { reports: some }]) => some);
    checkDelivery(mergeReports([paid, ...reports, seen, await staff.end()]));
    return Object.fromEntries(turns.map(([name, own]) => [name, describe(seen, own)]));
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
    const { staff, regulars } = await openShop(shop, settings);
    let floods = 0;
    const begin = async (): Promise<Part> => {
      const prefix = `flood${++floods}-`;
      const many = { role: "customers", url: shop.server.customers, count: FLOODERS, prefix, isFlood: true } as const;
      return await shop.fleet.begin(many, 1);
    };
    const turns = await takeTurns(begin, settings);
    const seen = await regulars.end();
    const { commandsPerRefusal, report } = await countCommands(shop, begin, settings);
    checkDelivery(mergeReports([seen, ...turns.reports, report, await staff.end()]));
    const { calm, flood: storm } = describe(seen, turns);
    return { calm, flood: { ...storm, commandsPerRefusal } };
  });
}

/** What a refusal costs Redis while nobody but the flood orders. */
async function countCommands(
  { redis }: Shop,
  begin: () => Promise<Part>,
  settings: Settings,
): Promise<{ commandsPerRefusal: number; report: Report }> {
  const flooders = await begin();
  await Bun.sleep(settings.isQuick ? 500 : 2000);
  const before = { commands: await redis.countCommands(), refused: (await flooders.count()).refused };
  await Bun.sleep(settings.seconds * 1000);
  const refused = (await flooders.count()).refused - before.refused;
  const commandsPerRefusal = ((await redis.countCommands()) - before.commands) / refused;
  return { commandsPerRefusal, report: await flooders.end() };
}

/** What the regulars saw in all stretches of a kind together, and how the flood was answered. */
function describe({ answered }: Report, { calm, storm, served, refused }: Turns): Pair {
  const waits = (windows: readonly Window[]): Sample => {
    const tookMs = windows.flatMap((window) => within(answered, window).tookMs);
    return { p50: quantile(tookMs, 0.5), p99: quantile(tookMs, 0.99) };
  };
  const stormMs = storm.reduce((sum, { from, until }) => sum + until - from, 0);
  const perSecond = (count: number): number => count / (stormMs / 1000);
  const rates = { servedPerSecond: perSecond(served), refusedPerSecond: perSecond(refused) };
  return { calm: waits(calm), flood: { ...waits(storm), ...rates } };
}
