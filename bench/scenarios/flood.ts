/**
 * Flood: does the delusional customer, who orders thousands at once from one address, slow the regulars down?
 *
 * 50 regulars, each from an address of their own, order now and then (200 a second together), and 20 baristas brew in no time;
 * the server's limits are its defaults. First calm; then 256 connections from 127.0.0.1 order as fast as they are answered,
 * which is the most that this machine can send; then, without the regulars, what a refusal costs Redis.
 * Load, servers and Redis share the machine's cores, so a part of what the regulars feel is the generator's own work.
 */
import { clock } from "../harness/clock.ts";
import type { Finding, Sample, Settings } from "../harness/comparison.ts";
import { checkDelivery } from "../harness/delivery.ts";
import type { Part } from "../harness/fleet.ts";
import { mergeReports, type Report } from "../harness/report.ts";
import { LONGPOUR } from "../harness/server.ts";
import { inShop, type Shop } from "../harness/shop.ts";
import { quantile, within, type Window } from "../harness/statistics.ts";

const REGULARS = 50;
const PAUSE_MS = 250;
const FLOODERS = 256;
const BARISTAS = 20;

/** The defaults: the harness lifts them elsewhere. */
const LIMITS = { LIMIT_CAPACITY: "250", LIMIT_REFILL_PER_SECOND: "1", MAX_HELD: "20000", MAX_HELD_PER_ADDRESS: "300" };

const METRICS = [
  { key: "p50", label: "regulars p50 ms", digits: 2 },
  { key: "p99", label: "regulars p99 ms", digits: 2 },
  { key: "refusedPerSecond", label: "refused/s", digits: 0 },
  { key: "commandsPerRefusal", label: "Redis commands/refusal", digits: 4 },
] as const;

/** A stretch of the run: what the regulars saw, and how many orders were refused in it. */
interface Stretch {
  readonly window: Window;
  readonly refused: number;
}

export async function flood(settings: Settings): Promise<Finding> {
  const samples: { calm: Sample; flood: Sample }[] = [];
  for (let round = 0; round < settings.rounds; round++) {
    settings.onRun({ text: `round ${round + 1} of ${settings.rounds}`, index: round, total: settings.rounds });
    samples.push(await measureFlood(settings));
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
    comparisons: [comparison],
    remarks: [
      "What a refusal still costs Redis: the one order a second that the flooding address is allowed, and the requests that " +
        "ask for it at the same moment. Commands within scripts count too.",
    ],
  };
}

async function measureFlood(settings: Settings): Promise<{ calm: Sample; flood: Sample }> {
  return await inShop({ contender: LONGPOUR, environment: LIMITS, loads: 2 }, async (shop) => {
    const { customers: url, baristas } = shop.server;
    const staff = await shop.fleet.begin({ role: "baristas", url: baristas, count: BARISTAS });
    const from = Array.from({ length: REGULARS }, (_, index) => `127.0.1.${index + 1}`);
    const guests = { role: "customers", url, count: REGULARS, prefix: "regular-", from, pauseMs: PAUSE_MS } as const;
    const regulars = await shop.fleet.begin(guests);
    await Bun.sleep(settings.isQuick ? 500 : 3000);
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
  return { window, refused: (after?.refused ?? 0) - (before?.refused ?? 0) };
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
