/** Owns the runs of the hold scenario: customers are held, measured at rest, then answered by the clock. */
import { clock } from "./clock.ts";
import type { Sample, Settings } from "./comparison.ts";
import { checkDelivery } from "./delivery.ts";
import { Fleet, type Part } from "./fleet.ts";
import { BenchNchan } from "./nchan.ts";
import { mergeReports, type Report } from "./report.ts";
import type { CustomersSpec } from "./roles/customers.ts";
import { LONGPOUR } from "./server.ts";
import { settled, until } from "./settle.ts";
import { inShop, type Shop } from "./shop.ts";
import { quantile, type Window } from "./statistics.ts";

export const HOLD_METRICS = [
  { key: "serverKib", label: "server KiB/customer", digits: 2 },
  { key: "redisKib", label: "Redis KiB/customer", digits: 2 },
  { key: "connections", label: "Redis connections", digits: 0 },
  { key: "p50", label: "finish to answer p50 ms", digits: 2 },
  { key: "p99", label: "p99 ms", digits: 2 },
] as const;

const FINISHES_PER_SECOND = 200;
const STOCK = 50;
/** Customers in one process of the load, and from one local address. */
const MOST_IN_ONE = 4500;
const WARM_CUSTOMERS = 20;
const BARISTAS = 20;
const HELD_BOUND_SECONDS = 60;

/** Long enough for no heartbeat to come, or soon. */
const heartbeatSeconds = (isBegun: boolean, isQuick: boolean): number => {
  if (!isBegun) return 3600;
  return isQuick ? 1 : 10;
};

export interface HoldOptions {
  /** How many are held. */
  readonly size: number;
  /** Their answers have begun, with heartbeats. */
  readonly isBegun?: boolean;
  /** The baristas are at another server than the customers. */
  readonly isElsewhere?: boolean;
}

export async function measureLongpour(options: HoldOptions, settings: Settings): Promise<Sample> {
  const { size, isBegun = false, isElsewhere = false } = options;
  const heartbeat = heartbeatSeconds(isBegun, settings.isQuick);
  const environment = { HEARTBEAT_SECONDS: String(heartbeat) };
  const loads = processesFor(size) + 1;
  const servers = isElsewhere ? 2 : 1;
  return await inShop({ contender: LONGPOUR, environment, loads, servers }, async (shop) => {
    const { redis, server, fleet } = shop;
    const warm = await warmUp(shop, settings);
    const rest = await readMemory(shop, settings);

    const parts = await beginHeld(fleet, size, { url: server.customers });
    await until(async () => (await countHeld(server.baristas)) === size, `${size} are held`, HELD_BOUND_SECONDS);
    if (isBegun) await Bun.sleep((heartbeat + 1) * 1000);
    const held = await readMemory(shop, settings);
    // Whose they are can't be told with two servers.
    const connections = isElsewhere ? undefined : { connections: await redis.countConnections() };

    const url = shop.servers.at(-1)?.baristas ?? server.baristas;
    const { reports, window } = await answerHeld({ fleet, process: loads - 1, url, parts }, settings);
    const report = mergeReports([...warm, ...reports]);
    checkDelivery(report);
    return {
      serverKib: (held.server - rest.server) / size,
      redisKib: (held.redis - rest.redis) / 1024 / size,
      ...connections,
      ...latencies(report, window),
    };
  });
}

/** Memory at rest: the first server's in KiB, Redis's in bytes. */
async function readMemory({ server, redis }: Shop, settings: Settings): Promise<{ server: number; redis: number }> {
  return {
    server: await settled(() => server.residentKib, restSeconds(settings)),
    redis: await redis.usedBytes(),
  };
}

interface Held {
  readonly fleet: Fleet;
  /** Where the baristas of the load run. */
  readonly process: number;
  /** Where the baristas work. */
  readonly url: string;
  /** The held customers. */
  readonly parts: readonly Part[];
}

/** Finishes by the clock for the measured stretch; then everything else. */
async function answerHeld(
  { fleet, process, url, parts }: Held,
  settings: Settings,
): Promise<{ reports: Report[]; window: Window }> {
  const paced = { role: "finishers", url, perSecond: FINISHES_PER_SECOND, stock: STOCK } as const;
  const finishers = await fleet.begin(paced, process);
  const window = await measuredStretch(settings);
  await finishers.pause();
  const ends = parts.map((part) => part.end());
  const finished = await finishers.end();
  const staff = await fleet.begin({ role: "baristas", url, count: BARISTAS }, process);
  return { reports: [finished, ...(await Promise.all(ends)), await staff.end()], window };
}

export async function measureNchan(
  { size, module }: { size: number; module: string },
  settings: Settings,
): Promise<Sample> {
  const nchan = await BenchNchan.start(module);
  const loads = processesFor(size) + 1;
  const fleet = new Fleet(loads);
  try {
    const { url } = nchan;
    const rest = nchan.residentKib;
    const parts = await beginHeld(fleet, size, { url, isSubscriber: true });
    const held = await settled(() => nchan.residentKib, restSeconds(settings));
    const to = sharesOf(size);
    const paced = { role: "publishers", url, perSecond: FINISHES_PER_SECOND, to } as const;
    const publishers = await fleet.begin(paced, loads - 1);
    const window = await measuredStretch(settings);
    await publishers.pause();
    await Bun.sleep(restSeconds(settings) * 100);
    const ends = parts.map((part) => part.end());
    const report = mergeReports([await publishers.end(), ...(await Promise.all(ends))]);
    checkDelivery(report);
    return { serverKib: (held - rest) / size, ...latencies(report, window) };
  } finally {
    await fleet.close();
    await nchan.close();
  }
}

function restSeconds({ isQuick }: Settings): number {
  return isQuick ? 1 : 5;
}

function processesFor(size: number): number {
  return Math.ceil(size / MOST_IN_ONE);
}

/** The customers of each process, and how their notes begin. */
function sharesOf(size: number): { count: number; prefix: string }[] {
  return Array.from({ length: processesFor(size) }, (_, index) => ({
    count: Math.min(MOST_IN_ONE, size - index * MOST_IN_ONE),
    prefix: `h${index}-`,
  }));
}

/** Opens the customers, from one local address for each process. */
async function beginHeld(
  fleet: Fleet,
  size: number,
  own: Pick<CustomersSpec, "url" | "isSubscriber">,
): Promise<Part[]> {
  const begins = sharesOf(size).map((share, index) =>
    fleet.begin({ role: "customers", ...share, ...own, from: [`127.0.1.${index + 1}`] }, index),
  );
  return await Promise.all(begins);
}

/** The code is compiled, and the heap has its working size, before memory is read. */
async function warmUp({ fleet, server, servers }: Shop, { isQuick }: Settings): Promise<Report[]> {
  const url = servers.at(-1)?.baristas ?? server.baristas;
  const staff = await fleet.begin({ role: "baristas", url, count: BARISTAS });
  const guests = { role: "customers", url: server.customers, count: WARM_CUSTOMERS, prefix: "warm-" } as const;
  const customers = await fleet.begin(guests);
  await Bun.sleep(isQuick ? 300 : 3000);
  return [await customers.end(), await staff.end()];
}

async function measuredStretch({ seconds, isQuick }: Settings): Promise<Window> {
  await Bun.sleep(isQuick ? 200 : 1000);
  const from = clock();
  await Bun.sleep(seconds * 1000);
  return { from, until: clock() };
}

async function countHeld(baristas: string): Promise<number> {
  const answer = await fetch(`${baristas}/queue`);
  return ((await answer.json()) as { held: number }).held;
}

/** From the sending of each finish in the window to its customer's last byte. */
function latencies({ answered, finished }: Report, { from, until: end }: Window): Sample {
  const answeredAt = new Map(
    answered.ids.map((id, index) => [id, (answered.sentAt[index] ?? NaN) + (answered.tookMs[index] ?? NaN)]),
  );
  const took = finished.ids.flatMap((id, index) => {
    const sentAt = finished.sentAt[index] ?? NaN;
    return sentAt >= from && sentAt < end ? [(answeredAt.get(id) ?? NaN) - sentAt] : [];
  });
  return { p50: quantile(took, 0.5), p99: quantile(took, 0.99) };
}
