/**
 * Listeners: what a listener costs, and how soon they hear.
 *
 * 1,000 and 5,000 listen to the whole shop at the baristas' port, the server warm. Memory counts against the same
 * server at rest before they came. Then 10 orders a second are placed by the clock, and all hear of each.
 * Latency: from the sending of an order to its event at a listener; the order's own answer (202) shows how much of it
 * is placing it. As many customers, each of whom listens to an order of their own, cost memory only.
 */
import { barChart, measureInTurn, sizeLabel, type Finding, type Sample, type Settings } from "../harness/comparison.ts";
import { beginEach, Crew } from "../harness/crew.ts";
import { until } from "../../test/support/until.ts";
import { beginShares, countAll, endAll, loadsFor, type Part } from "../harness/fleet.ts";
import { place } from "../harness/people.ts";
import { residentKib, settled, withinOpenFiles } from "../harness/process.ts";
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
const WARM_LISTENERS = 50;
const WARM_ORDERS = 500;
const HEARD_TIMEOUT_MS = 30_000;

/** The note of an order says its number, from 0, and when it was sent (`clock`). */
const NOTE = /"note":"(\d+) ([\d.]+)"/g;

/** One for each path, which it asks for; all call from one local address. */
type ListenersSpec = { readonly url: string; readonly paths: readonly string[]; readonly from: string };

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
  crew.beforeEnd = async () => crew.hangUp();
}

export async function listening(settings: Settings): Promise<Finding> {
  const { sizes, remarks } = withinOpenFiles(settings.isQuick ? [100, 300] : [1000, 5000]);
  const cells = sizes.flatMap((size) => [STAFF, CUSTOMERS].map((name) => ({ size, group: sizeLabel(size), name })));
  const comparison = {
    title: "Listeners, 10 events a second",
    groupLabel: "listeners",
    metrics: METRICS,
    series: await measureInTurn(
      cells.map(({ size, ...at }) => ({ ...at, measure: () => measure(size, at.name === STAFF, settings) })),
      settings,
    ),
    goals: cells.map(({ group, name }) => {
      const of = { group, name };
      return { what: `Redis connections for ${group}, ${name}`, metric: "connections", of, atMost: 1 };
    }),
    charts: [barChart("listeners-memory.svg", "Server memory for each listener", METRICS[0])],
  };
  return { comparisons: [comparison], remarks };
}

/** The server is warmed up, its code compiled and its heap of working size, before memory is read. */
async function measure(size: number, isStaff: boolean, settings: Settings): Promise<Sample> {
  return await inShop({ contender: LONGPOUR, loads: loadsFor(size) }, async (shop) => {
    const placer = new Crew();
    const { report } = placer;
    const { customers, baristas } = shop.server;
    /** Places an order without a held customer. */
    const placeOne = async (name = "one of many"): Promise<void> => {
      await placer.lend(customers, (connection) => place(report, connection, name));
    };
    const warm = Array.from({ length: WARM_LISTENERS }, () => "/events?type=order.started");
    const { parts: early } = await beginListeners(shop, baristas, warm, 1);
    await beginEach(WARM_ORDERS, () => placeOne());
    await endListeners(early, 0);

    if (!isStaff) await beginEach(size, () => placeOne());
    const ofOrders = report.placed.ids.slice(-size).map((orderId) => `/order/${orderId}/events`);
    const ofShop = Array.from({ length: size }, () => "/events?type=order.placed");
    const [url, paths] = isStaff ? [baristas, ofShop] : [customers, ofOrders];
    const { parts, ...cost } = await beginListeners(shop, url, paths, settings.isQuick ? 1 : 5);
    let numbered = 0;
    let placed = Promise.resolve();
    if (isStaff) {
      placer.pace(EVENTS_PER_SECOND, () => {
        const number = numbered++;
        // One after the other: they are delivered to in the order of their numbers.
        placed = placed.then(() => placeOne(`${number} ${clock()}`));
      });
    }
    const window = await stretch(isStaff ? settings.seconds : 0);
    await placer.pause();
    await placed;
    const all = numbered * size;
    const areHeard = async (): Promise<boolean> => (await countAll(parts, "answered")) >= all;
    await until(areHeard, `${all} events are heard`, HEARD_TIMEOUT_MS);
    const { tookMs, perSecond: heard } = within(await endListeners(parts, all), window);
    if (!isStaff) return cost;
    const placeP50 = quantile(report.placed.tookMs.slice(-numbered), 0.5);
    return { ...cost, placeP50, p50: quantile(tookMs, 0.5), p99: quantile(tookMs, 0.99), heard };
  });
}

/** Lets listeners come, and says what each costs at rest. */
async function beginListeners(shop: Shop, url: string, paths: readonly string[], restSeconds: number) {
  const { fleet, server, redis } = shop;
  const readMemory = (): number => residentKib([server.process.pid]);
  const before = { kib: await settled(readMemory, restSeconds), redis: await redis.countConnections() };
  const parts = await beginShares(fleet, listeners, paths.length, ({ first, count, from }) => {
    return { url, paths: paths.slice(first, first + count), from };
  });
  const kib = await settled(readMemory, restSeconds);
  const connections = (await redis.countConnections()) - before.redis;
  return { parts, serverKib: (kib - before.kib) / paths.length, connections };
}

/** Throws when an event was missed, or came twice. */
async function endListeners(parts: readonly Part[], all: number): Promise<Timed> {
  const { answered, faults } = mergeReports(await endAll(parts));
  if (answered.ids.length !== all) faults[`event was heard, not ${all}`] = answered.ids.length;
  const lines = Object.entries(faults).map(([fault, times]) => `${times} × ${fault}`);
  if (lines.length > 0) throw new Error(`delivery was not exact: ${lines.join("; ")}`);
  return answered;
}
