/**
 * Listeners: what somebody who listens to events costs, and how soon they hear.
 *
 * 1,000 and 5,000 listen to the whole shop at the baristas' port, the server warm. Memory counts against the same
 * server at rest before they came. Then 10 orders a second are placed by the clock, and everybody hears of each.
 * Latency: from the sending of an order to its event at a listener; the order's own answer (202) shows how much of it
 * is placing it. As many customers, each of whom listens to an order of their own, cost memory only.
 */
import { barChart, measureInTurn, sizeLabel, type Finding, type Sample, type Settings } from "../harness/comparison.ts";
import { beginEach, Crew } from "../harness/crew.ts";
import { until } from "../../test/support/until.ts";
import { countAll, endAll, type Part } from "../harness/fleet.ts";
import { place } from "../harness/people.ts";
import { settled, withinOpenFiles } from "../harness/process.ts";
import { clock, mergeReports, note, noteFault, type Timed } from "../harness/report.ts";
import { inShop, LONGPOUR, type Shop } from "../harness/shop.ts";
import { quantile, stretch, within } from "../harness/stretch.ts";

const STAFF = "the whole shop";
const CUSTOMERS = "an order each";

const METRICS = [
  { key: "serverKib", label: "server KiB/listener", digits: 2 },
  { key: "connections", label: "more Redis connections", digits: 0 },
  { key: "placeP50", label: "order to 202 p50 ms", digits: 2 },
  { key: "p50", label: "order to listener p50 ms", digits: 2 },
  { key: "p99", label: "p99 ms", digits: 2 },
  { key: "heard", label: "events heard a second", digits: 0 },
] as const;

const EVENTS_PER_SECOND = 10;
/** Listeners in one process of the load, and from one local address. */
const MAX_IN_ONE = 4500;
const WARM_LISTENERS = 50;
const WARM_ORDERS = 500;
const HEARD_BOUND_MS = 30_000;

/** The note of an order says its number, from 0, and when it was sent (`clock`). */
const NOTE = /"note":"(\d+) ([\d.]+)"/g;

interface ListenersSpec {
  readonly url: string;
  /** What each asks for. */
  readonly paths: readonly string[];
  /** Local address that they call from. */
  readonly from: string;
}

/**
 * Each listens on a connection of their own, and looks whether they hear every order that was numbered, once and in
 * order; what they heard counts as answered. Each write of the server holds whole frames, so no note has a chunk's head
 * in it.
 */
export async function listeners(crew: Crew, { url, paths, from }: ListenersSpec): Promise<void> {
  const { report } = crew;
  await beginEach(paths.length, async (index) => {
    const connection = await crew.open(url, from);
    const begun = Promise.withResolvers<void>();
    let rest = "";
    let next = 0;
    const hear = (part: string): void => {
      begun.resolve();
      if (part.startsWith("HTTP/") && !part.startsWith("HTTP/1.1 200")) {
        noteFault(report, `a listener was answered ${part.slice(9, 12)}`);
      }
      const text = rest + part;
      let end = 0;
      for (const { 0: match, 1: number = "", 2: sentAt, index: at } of text.matchAll(NOTE)) {
        end = at + match.length;
        if (Number(number) !== next) noteFault(report, "an event was missed, or came twice");
        next = Number(number) + 1;
        note(report.answered, number, Number(sentAt));
      }
      rest = text.slice(end);
    };
    const heard = connection.listen(paths[index] ?? "/", hear);
    heard.catch(begun.reject);
    crew.run(heard);
    await begun.promise;
  });
  crew.beforeEnd(async () => crew.hangUp());
}

export async function listening(settings: Settings): Promise<Finding> {
  const { sizes, remarks } = withinOpenFiles(settings.isQuick ? [100, 300] : [1000, 5000]);
  const places = sizes.flatMap((size) => [STAFF, CUSTOMERS].map((name) => ({ size, group: sizeLabel(size), name })));
  const variants = places.map(({ size, ...at }) => {
    return { ...at, measure: () => (at.name === STAFF ? measureStaff : measureCustomers)(size, settings) };
  });
  const comparison = {
    title: "Listeners, 10 events a second",
    groupLabel: "listeners",
    metrics: METRICS,
    series: await measureInTurn(variants, settings),
    goals: places.map(({ group, name }) => {
      const what = `Redis connections for ${group}, ${name}`;
      return { what, metric: "connections", of: { group, name }, atMost: 1 };
    }),
    charts: [barChart("listeners-memory.svg", "Server memory for each listener", METRICS[0])],
  };
  return { comparisons: [comparison], remarks };
}

/** Each listens to the whole shop. */
async function measureStaff(size: number, settings: Settings): Promise<Sample> {
  return await inWarmShop(size, settings, async (shop, placer) => {
    const paths = Array.from({ length: size }, () => "/events?type=order.placed");
    const { parts, ...cost } = await beginListeners(shop, { url: shop.server.baristas, paths }, settings);
    let placed = Promise.resolve();
    let numbered = 0;
    placer.pace(EVENTS_PER_SECOND, () => {
      const number = numbered++;
      // One after the other: they are told in the order of their numbers.
      placed = placed.then(() => placeOne(shop, placer, `${number} ${clock()}`));
    });
    const window = await stretch(settings.seconds);
    await placer.pause();
    await placed;
    const all = numbered * size;
    const areHeard = async (): Promise<boolean> => (await countAll(parts, "answered")) >= all;
    await until(areHeard, `${all} events are heard`, HEARD_BOUND_MS);
    const { tookMs, perSecond } = within(await endListeners(parts, all), window);
    const placeMs = placer.report.placed.tookMs.slice(-numbered);
    const waits = { placeP50: quantile(placeMs, 0.5), p50: quantile(tookMs, 0.5), p99: quantile(tookMs, 0.99) };
    return { ...cost, ...waits, heard: perSecond };
  });
}

/** Each listens to an order of their own, to which nothing happens: what they cost is all that is measured. */
async function measureCustomers(size: number, settings: Settings): Promise<Sample> {
  return await inWarmShop(size, settings, async (shop, placer) => {
    await beginEach(size, () => placeOne(shop, placer, "one of many"));
    const paths = placer.report.placed.ids.slice(-size).map((orderId) => `/order/${orderId}/events`);
    const { parts, ...cost } = await beginListeners(shop, { url: shop.server.customers, paths }, settings);
    await endListeners(parts, 0);
    return cost;
  });
}

/** Places an order that nobody waits for. */
async function placeOne({ server }: Shop, placer: Crew, name: string): Promise<void> {
  await placer.lend(server.customers, (connection) => place(placer.report, connection, name));
}

/**
 * Opens a shop and warms it up: the code is compiled, and the heap has its working size, before memory is read. Orders
 * are placed from this process.
 */
async function inWarmShop(
  size: number,
  settings: Settings,
  run: (shop: Shop, placer: Crew) => Promise<Sample>,
): Promise<Sample> {
  return await inShop({ contender: LONGPOUR, loads: Math.ceil(size / MAX_IN_ONE) }, async (shop) => {
    const placer = new Crew();
    try {
      const paths = Array.from({ length: WARM_LISTENERS }, () => "/events?type=order.started");
      const warm = { url: shop.server.baristas, paths };
      const { parts } = await beginListeners(shop, warm, { ...settings, isQuick: true });
      await beginEach(WARM_ORDERS, () => placeOne(shop, placer, "one of many"));
      await endListeners(parts, 0);
      return await run(shop, placer);
    } finally {
      placer.hangUp();
    }
  });
}

interface Begun {
  readonly parts: readonly Part[];
  readonly serverKib: number;
  readonly connections: number;
}

/** Lets listeners come, from one local address for each process, and tells what each costs at rest. */
async function beginListeners(
  { fleet, server, redis }: Shop,
  { url, paths }: Pick<ListenersSpec, "url" | "paths">,
  { isQuick }: Settings,
): Promise<Begun> {
  const restSeconds = isQuick ? 1 : 5;
  const before = { kib: await settled(() => server.residentKib, restSeconds), redis: await redis.countConnections() };
  const parts: Part[] = [];
  for (let process = 0; process * MAX_IN_ONE < paths.length; process++) {
    const share = paths.slice(process * MAX_IN_ONE, (process + 1) * MAX_IN_ONE);
    parts.push(await fleet.begin(listeners, { url, paths: share, from: `127.0.1.${process + 1}` }, process));
  }
  const kib = await settled(() => server.residentKib, restSeconds);
  const connections = (await redis.countConnections()) - before.redis;
  return { parts, serverKib: (kib - before.kib) / paths.length, connections };
}

/** Throws when an event was missed, or came twice. */
async function endListeners(parts: readonly Part[], all: number): Promise<Timed> {
  const { answered, faults } = mergeReports(await endAll(parts));
  if (answered.ids.length !== all) faults[`event was heard, not ${all}`] = answered.ids.length;
  const told = Object.entries(faults).map(([fault, times]) => `${times} × ${fault}`);
  if (told.length > 0) throw new Error(`delivery was not exact: ${told.join("; ")}`);
  return answered;
}
