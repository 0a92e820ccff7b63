/**
 * Flood: does the delusional customer, who asks without end from one address, slow the regulars down?
 *
 * 100 regulars, each from an address of their own, order now and then (200 a second together), and 20 baristas brew in
 * no time; the server's limits are its defaults. Calm and flood take turns in short stretches, so that a stall of the
 * machine hits both alike: in a flood 256 connections from 127.0.0.1 order as fast as they are answered, which is the
 * most that this machine can send. All stretches of a kind count together. Then the same with floods of something else,
 * each beside calm stretches of its own; and, without the regulars, what a refusal of an order costs Redis.
 * Load, servers and Redis share the machine's cores, so a part of what the regulars feel is the generator's own work.
 */
import { barChart, type Finding, type Sample, type Settings } from "../harness/comparison.ts";
import { beginEach, type Crew } from "../harness/crew.ts";
import type { Part } from "../harness/fleet.ts";
import { Connection } from "../harness/http.ts";
import { baristas, customers, waitFor } from "../harness/people.ts";
import { checkDelivery, emptyReport, noteFault, type Report } from "../harness/report.ts";
import { inShop, LONGPOUR, type Shop } from "../harness/shop.ts";
import { quantile, stretch, within, type Window } from "../harness/stretch.ts";

/** So many, with such pauses, that none runs out of tokens while the floods last. */
const REGULARS = 100;
const PAUSE_MS = 500;
const FLOODERS = 256;
const BARISTAS = 20;

/** Stretches of each kind that the measured time is divided into. */
const TURNS = 5;
/** From the beginning of a flood, and from its end, to the measured stretch. */
const SETTLE_MS = 500;
/** The first one spends the tokens of its address. */
const FIRST_SETTLE_MS = 2000;

/** The defaults: the harness lifts them elsewhere. */
const LIMITS = {
  REQUESTS_PER_SECOND: "200",
  LIMIT_CAPACITY: "250",
  LIMIT_REFILL_PER_SECOND: "1",
  MAX_HELD: "20000",
  MAX_HELD_PER_ADDRESS: "300",
};

const WAITS = [
  { key: "p50", label: "regulars p50 ms", digits: 2 },
  { key: "p99", label: "regulars p99 ms", digits: 2 },
] as const;
const REFUSED = { key: "refusedPerSecond", label: "refused/s", digits: 0 } as const;

/** A key that an order was placed under: asking for it again takes no token. */
const PAID = {
  method: "POST",
  path: "/order/",
  headers: "Idempotency-Key: 4f9e8c52-6d0b-4e0a-9c35-71ab20d6f8e3\r\n",
  json: '{"note":"paid"}',
};

/** What a flood asks for, over and over, and the status of those who are let in. */
interface FloodRequest {
  readonly method: string;
  readonly path: string;
  readonly headers?: string;
  readonly json?: string;
  readonly expected: number;
}

const ORDERS = "orders";
/** What else is asked for without end. `paidId` is the order under PAID, ready long ago. */
const FLOODS: Readonly<Record<string, (paidId: string) => FloodRequest>> = {
  "GET /swagger/json": () => ({ method: "GET", path: "/swagger/json", expected: 200 }),
  "GET /coffees": () => ({ method: "GET", path: "/coffees", expected: 200 }),
  "PUT /order/:id": (paidId) => ({ method: "PUT", path: `/order/${paidId}`, json: '{"item":"latte"}', expected: 409 }),
  "POST /order/, one paid key": () => ({ ...PAID, expected: 200 }),
};

type FloodersSpec = { readonly url: string; readonly count: number; readonly request: FloodRequest };

/** Each of many connections from one address asks again as soon as it is answered; 429 is a refusal. */
export async function flooders(crew: Crew, { url, count, request }: FloodersSpec): Promise<void> {
  const { report } = crew;
  const { method, path, expected, ...content } = request;
  await beginEach(count, async () => {
    const connection = await crew.open(url);
    crew.loop(async () => {
      const { status } = await connection.send(method, path, content);
      report.sent += 1;
      if (status === 429) report.refused += 1;
      else if (status === expected) report.served += 1;
      else noteFault(report, `a flooder was answered ${status}`);
    });
  });
}

const KINDS = ["calm", "flood"] as const;
/** What the regulars saw in a flood's calm, and in its storm. */
type Pair = Readonly<Record<(typeof KINDS)[number], Sample>>;

export async function flood(settings: Settings): Promise<Finding> {
  const rounds: Readonly<Record<string, Pair>>[] = [];
  for (let round = 0; round < settings.rounds; round++) {
    settings.onRun({ text: `round ${round + 1} of ${settings.rounds}`, index: round, total: settings.rounds });
    rounds.push(await measure(settings));
  }
  const about = `${REGULARS} regulars, calm and while ${FLOODERS} connections of one address`;
  const samplesOf = (name: string, kind: keyof Pair): Sample[] => rounds.map((round) => round[name]?.[kind] ?? {});
  const [to, of] = [
    { group: "calm", name: LONGPOUR.name },
    { group: "flood", name: LONGPOUR.name },
  ] as const;
  const ofOrders = {
    title: `${about} order without end`,
    groupLabel: "",
    metrics: [...WAITS, REFUSED, { key: "commandsPerRefusal", label: "Redis commands/refusal", digits: 4 }],
    series: KINDS.map((group) => ({ group, name: LONGPOUR.name, samples: samplesOf(ORDERS, group) })),
    goals: [
      { what: "regulars' p99, flood of calm", metric: "p99", of, to, atMost: 1.5 },
      { what: "Redis commands/refusal", metric: "commandsPerRefusal", of, atMost: 0.1 },
    ],
    charts: [barChart("flood.svg", "Regulars' whole wait, p99", WAITS[1])],
  };
  const groups = Object.keys(FLOODS);
  const ofOthers = {
    title: `${about} ask for something else`,
    groupLabel: "flood",
    metrics: [...WAITS, { key: "servedPerSecond", label: "let in/s", digits: 0 }, REFUSED],
    series: groups.flatMap((group) => KINDS.map((name) => ({ group, name, samples: samplesOf(group, name) }))),
    goals: groups.map((group) => {
      const ends = { of: { group, name: "flood" }, to: { group, name: "calm" } };
      return { what: `regulars' p99, ${group}`, metric: "p99", ...ends, atMost: 2 };
    }),
    charts: [],
  };
  const remark =
    "What a refusal still costs Redis: the one order a second that the flooding address is allowed, and the requests " +
    "that ask for it at the same moment. Commands within scripts count too.";
  return { comparisons: [ofOrders, ofOthers], remarks: [remark] };
}

/** Staff and regulars at work, the server warm, all floods in turn; by flood. */
async function measure(settings: Settings): Promise<Readonly<Record<string, Pair>>> {
  return await inShop({ contender: LONGPOUR, environment: LIMITS, loads: 2 }, async ({ fleet, redis, server }) => {
    const { customers: url } = server;
    const staff = await fleet.begin(baristas, { url: server.baristas, count: BARISTAS });
    const from = Array.from({ length: REGULARS }, (_, index) => `127.0.1.${index + 1}`);
    const guests = { url, count: REGULARS, prefix: "regular-", from, pauseMs: PAUSE_MS };
    const regulars = await fleet.begin(customers, guests);
    await Bun.sleep(settings.isQuick ? 500 : 3000);

    const paid = await payForOrder(url);
    let floods = 0;
    const order = (): Promise<Part> => {
      return fleet.begin(customers, { url, count: FLOODERS, prefix: `flood${++floods}-`, isFlood: true }, 1);
    };
    const turns = new Map([[ORDERS, await takeTurns(order, settings)]]);
    for (const [name, requestOf] of Object.entries(FLOODS)) {
      const spec = { url, count: FLOODERS, request: requestOf(paid.answered.ids[0] ?? "") };
      turns.set(name, await takeTurns(() => fleet.begin(flooders, spec, 1), settings));
    }
    const seen = await regulars.end();
    const { commandsPerRefusal, report } = await countCommands(redis, await order(), settings);
    const stormy = [...turns.values()].flatMap(({ reports }) => reports);
    checkDelivery([paid, seen, ...stormy, report, await staff.end()]);
    const extra = (name: string): Sample => (name === ORDERS ? { commandsPerRefusal } : {});
    return Object.fromEntries([...turns].map(([name, own]) => [name, describe(seen, own, extra(name))]));
  });
}

/** Places the order that the last flood asks for again and again, and waits for it. */
async function payForOrder(url: string): Promise<Report> {
  const report = emptyReport();
  const connection = await Connection.open(url);
  await waitFor(report, "paid", () => connection.send(PAID.method, PAID.path, PAID));
  connection.close();
  return report;
}

/**
 * Measures each kind for `seconds`, calm, flood, calm, flood, …; `begin` begins a flood. It is over, wholly answered,
 * when calm begins. Counts how its requests were answered within the stretches.
 */
async function takeTurns(begin: () => Promise<Part>, { seconds, isQuick }: Settings) {
  const turns = { calm: [] as Window[], storm: [] as Window[], served: 0, refused: 0, reports: [] as Report[] };
  for (let turn = 0; turn < TURNS; turn++) {
    await Bun.sleep(SETTLE_MS);
    turns.calm.push(await stretch(seconds / TURNS));
    const flooding = await begin();
    await Bun.sleep(turn > 0 || isQuick ? SETTLE_MS : FIRST_SETTLE_MS);
    const before = await flooding.count();
    turns.storm.push(await stretch(seconds / TURNS));
    const after = await flooding.count();
    turns.served += after.served - before.served;
    turns.refused += after.refused - before.refused;
    turns.reports.push(await flooding.end());
  }
  return turns;
}

type Turns = Awaited<ReturnType<typeof takeTurns>>;

/** What a refusal costs Redis while only the flood orders. */
async function countCommands(redis: Shop["redis"], flooding: Part, { seconds, isQuick }: Settings) {
  await Bun.sleep(isQuick ? 500 : 2000);
  const before = { commands: await redis.countCommands(), refused: (await flooding.count()).refused };
  await Bun.sleep(seconds * 1000);
  const refused = (await flooding.count()).refused - before.refused;
  const commandsPerRefusal = ((await redis.countCommands()) - before.commands) / refused;
  return { commandsPerRefusal, report: await flooding.end() };
}

/** What the regulars saw in all stretches of a kind together, and how the flood was answered. */
function describe({ answered }: Report, { calm, storm, served, refused }: Turns, extra: Sample): Pair {
  const waits = (windows: readonly Window[]): Sample => {
    const tookMs = windows.flatMap((window) => within(answered, window).tookMs);
    return { p50: quantile(tookMs, 0.5), p99: quantile(tookMs, 0.99) };
  };
  const stormSeconds = storm.reduce((sum, { from, until }) => sum + until - from, 0) / 1000;
  const rates = { servedPerSecond: served / stormSeconds, refusedPerSecond: refused / stormSeconds };
  return { calm: waits(calm), flood: { ...waits(storm), ...rates, ...extra } };
}
