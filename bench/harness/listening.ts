/**
 * Owns the runs of the listeners scenario: they come, are measured at rest, then hear of orders that are placed by the
 * clock.
 */
import { clock } from "./clock.ts";
import type { Sample, Settings } from "./comparison.ts";
import { endpointOf } from "./connection.ts";
import type { Part } from "./fleet.ts";
import { pace } from "./pace.ts";
import { Pool } from "./pool.ts";
import { mergeReports, type Report } from "./report.ts";
import { readOrder, requestsTo } from "./requests.ts";
import { noteOf } from "./roles/listeners.ts";
import { beginEach } from "./roles/role.ts";
import { LONGPOUR } from "./server.ts";
import { settled, until } from "./settle.ts";
import { inShop, type Shop } from "./shop.ts";
import { quantile, within } from "./statistics.ts";

export const LISTEN_METRICS = [
  { key: "serverKib", label: "server KiB/listener", digits: 2 },
  { key: "connections", label: "more Redis connections", digits: 0 },
  { key: "placeP50", label: "order to 202 p50 ms", digits: 2 },
  { key: "p50", label: "order to listener p50 ms", digits: 2 },
  { key: "p99", label: "p99 ms", digits: 2 },
  { key: "heard", label: "events heard a second", digits: 0 },
] as const;

const EVENTS_PER_SECOND = 10;
/** Listeners in one process of the load, and from one local address. */
const MOST_IN_ONE = 4500;
const WARM_LISTENERS = 50;
const WARM_ORDERS = 500;
const HEARD_BOUND_SECONDS = 30;

/** Each listens to the whole shop. */
export async function measureStaff(size: number, settings: Settings): Promise<Sample> {
  return await inListening(size, settings, async (shop, placer) => {
    const paths = Array.from({ length: size }, () => "/events?type=order.placed");
    const { parts, ...cost } = await beginListeners(shop, { url: shop.server.baristas, paths }, settings);
    const from = clock();
    const { numbered, placeMs } = await placer.placeByTheClock(settings.seconds);
    const window = { from, until: clock() };
    const heard = async (): Promise<number> => {
      const counts = await Promise.all(parts.map((part) => part.count()));
      return counts.reduce((sum, { answered }) => sum + answered, 0);
    };
    const all = numbered * size;
    await until(async () => (await heard()) >= all, `${all} events are heard`, HEARD_BOUND_SECONDS);
    const { answered } = await endListeners(parts, all);
    const { tookMs, perSecond } = within(answered, window);
    const waits = { placeP50: quantile(placeMs, 0.5), p50: quantile(tookMs, 0.5), p99: quantile(tookMs, 0.99) };
    return { ...cost, ...waits, heard: perSecond };
  });
}

/** Each listens to an order of their own, to which nothing happens: what they cost is all that is measured. */
export async function measureCustomers(size: number, settings: Settings): Promise<Sample> {
  return await inListening(size, settings, async (shop, placer) => {
    const orderIds = await placer.placeMany(size);
    const paths = orderIds.map((orderId) => `/order/${orderId}/events`);
    const { parts, ...cost } = await beginListeners(shop, { url: shop.server.customers, paths }, settings);
    await endListeners(parts, 0);
    return cost;
  });
}

/** Opens a shop and warms it up: the code is compiled, and the heap has its working size, before memory is read. */
async function inListening(
  size: number,
  settings: Settings,
  run: (shop: Shop, placer: Placer) => Promise<Sample>,
): Promise<Sample> {
  return await inShop({ contender: LONGPOUR, loads: Math.ceil(size / MOST_IN_ONE) }, async (shop) => {
    const placer = new Placer(shop.server.customers);
    try {
      const paths = Array.from({ length: WARM_LISTENERS }, () => "/events?type=order.started");
      const { parts } = await beginListeners(
        shop,
        { url: shop.server.baristas, paths },
        { ...settings, isQuick: true },
      );
      await placer.placeMany(WARM_ORDERS);
      await endListeners(parts, 0);
      return await run(shop, placer);
    } finally {
      placer.close();
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
  { url, paths }: { url: string; paths: readonly string[] },
  { isQuick }: Settings,
): Promise<Begun> {
  const restSeconds = isQuick ? 1 : 5;
  const before = { kib: await settled(() => server.residentKib, restSeconds), redis: await redis.countConnections() };
  const parts: Part[] = [];
  for (let at = 0; at < paths.length; at += MOST_IN_ONE) {
    const process = at / MOST_IN_ONE;
    const share = paths.slice(at, at + MOST_IN_ONE);
    parts.push(await fleet.begin({ role: "listeners", url, paths: share, from: `127.0.1.${process + 1}` }, process));
  }
  const kib = await settled(() => server.residentKib, restSeconds);
  const connections = (await redis.countConnections()) - before.redis;
  return { parts, serverKib: (kib - before.kib) / paths.length, connections };
}

/** Throws when an event was missed, or came twice. */
async function endListeners(parts: readonly Part[], all: number): Promise<Report> {
  const report = mergeReports(await Promise.all(parts.map((part) => part.end())));
  const faults = Object.entries(report.faults).map(([fault, count]) => `${count} × ${fault}`);
  const heard = report.answered.tookMs.length;
  if (heard !== all) faults.push(`${heard} events were heard, not ${all}`);
  if (faults.length > 0) throw new Error(`delivery was not exact: ${faults.join("; ")}`);
  return report;
}

/** Places orders that nobody waits for. */
class Placer {
  readonly #pool: Pool;
  readonly #order: (note: string) => string;

  constructor(url: string) {
    const endpoint = endpointOf(url);
    const requests = requestsTo(endpoint);
    this.#pool = new Pool(endpoint);
    this.#order = (note) => requests.order(note, true);
  }

  /** Resolves to their ids. */
  async placeMany(count: number): Promise<string[]> {
    const orderIds: string[] = [];
    await beginEach(count, async () => void orderIds.push(await this.#place("one of many")));
    return orderIds;
  }

  /** Resolves to how many there were, and how long each took. */
  async placeByTheClock(seconds: number): Promise<{ numbered: number; placeMs: readonly number[] }> {
    const placeMs: number[] = [];
    let placed = Promise.resolve();
    let numbered = 0;
    const place = async (number: number): Promise<void> => {
      const sentAt = clock();
      await this.#place(noteOf(number));
      placeMs.push(clock() - sentAt);
    };
    const stop = pace(EVENTS_PER_SECOND, () => {
      const number = numbered++;
      // One after the other: they are told in the order of their numbers.
      placed = placed.then(() => place(number));
    });
    await Bun.sleep(seconds * 1000);
    stop();
    await placed;
    return { numbered, placeMs };
  }

  close(): void {
    this.#pool.close();
  }

  async #place(note: string): Promise<string> {
    const { status, body } = await this.#pool.send(this.#order(note));
    if (status !== 202) throw new Error(`an order was answered ${status}`);
    return readOrder(body).order_id;
  }
}
