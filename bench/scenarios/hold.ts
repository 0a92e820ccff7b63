/**
 * Hold: what a waiting customer costs, and how soon they have their answer once their order is finished.
 *
 * 1,000 to 16,000 customers are held, the server warm. Memory counts against the same server at rest before they came.
 * Then 200 orders a second are finished through the baristas' port, by the clock, and as many started; who is answered
 * orders again, so as many are held throughout. Latency: from the sending of a finish to the last byte at its customer.
 *
 * "heartbeats begun": after HEARTBEAT_SECONDS a held answer begins, with a space now and then, which costs a stream and
 * a timer. "another replica": the baristas finish at a second server on the same Redis; memory is that of the
 * customers' server. "longest fsync" is Redis's longest of the measured stretch: it answers nobody meanwhile. Nchan
 * (nginx, long-poll, one worker, messages in memory only, nothing durable): publish to the subscriber's last byte.
 */
import { barChart, measureInTurn, sizeLabel, type Finding, type Sample, type Settings } from "../harness/comparison.ts";
import { beginEach, type Crew } from "../harness/crew.ts";
import { untilHeld } from "../../test/support/http.ts";
import { beginShares, endAll, Fleet, loadsFor, type Part, type Share } from "../harness/fleet.ts";
import type { Connection } from "../harness/http.ts";
import { findNchan, startNchan } from "../harness/nchan.ts";
import { baristas, customers, finish, start, type CustomersSpec } from "../harness/people.ts";
import { childrenOf, residentKib, settled, withinOpenFiles } from "../harness/process.ts";
import { answerTimes, checkDelivery, clock, mergeReports, note, type Report } from "../harness/report.ts";
import { inShop, LONGPOUR } from "../harness/shop.ts";
import { quantile, stretch, type Window } from "../harness/stretch.ts";

const METRICS = [
  { key: "serverKib", label: "server KiB/customer", digits: 2 },
  { key: "redisKib", label: "Redis KiB/customer", digits: 2 },
  { key: "connections", label: "Redis connections", digits: 0 },
  { key: "p50", label: "finish to answer p50 ms", digits: 2 },
  { key: "p99", label: "p99 ms", digits: 2 },
  { key: "longestFsync", label: "longest fsync ms", digits: 0 },
] as const;
const [SERVER_KIB, , , , P99] = METRICS;

const OWN = LONGPOUR.name;
const BEGUN = "Longpour, heartbeats begun";
const ELSEWHERE = "Longpour, another replica";
const NCHAN = "Nchan";

const PER_SECOND = 200;
/** Orders that are started before the first is finished: the time of a finish is its own. */
const STOCK = 50;
const WARM_CUSTOMERS = 20;
const BARISTAS = 20;
/** LANES and 6. */
const MAX_REDIS_CONNECTIONS = 70;

/** A staff that finishes so many orders a second, by the clock, and starts as many; in the end, its stock. */
export async function finishers(crew: Crew, { url }: { readonly url: string }): Promise<void> {
  const { report } = crew;
  const name = "finisher";
  const stock: string[] = [];
  const startOne = async (): Promise<void> => {
    const orderId = await crew.lend(url, (connection) => start(report, { connection, name }, 0));
    if (orderId !== undefined) stock.push(orderId);
  };
  const finishOne = (orderId: string) => crew.lend(url, (connection) => finish(report, { connection, name }, orderId));
  await beginEach(STOCK, startOne);
  crew.pace(PER_SECOND, () => {
    crew.run(startOne());
    const orderId = stock.shift();
    if (orderId !== undefined) crew.run(finishOne(orderId));
  });
  crew.beforeEnd = async () => {
    await crew.settle();
    for (const orderId of stock.splice(0)) crew.run(finishOne(orderId));
  };
}

/** Publish on Nchan's channels by the clock: one to each subscriber in turn, and one more to each in the end. */
export async function publishers(crew: Crew, { url, names }: { url: string; names: string[] }): Promise<void> {
  let published = 0;
  const publishNext = (): void => {
    const channel = `${names[published % names.length]}.${Math.floor(published / names.length)}`;
    published += 1;
    crew.run(crew.lend(url, (connection) => publish(crew, connection, channel)));
  };
  crew.pace(PER_SECOND, publishNext);
  crew.beforeEnd = async () => {
    for (let count = 0; count < names.length; count++) {
      if (count % 100 === 0) await crew.settle();
      publishNext();
    }
  };
}

/** Publishes an answer as long as an order's, which is that channel's own. */
async function publish({ report }: Crew, connection: Connection, channel: string): Promise<void> {
  const sentAt = clock();
  const time = "2026-11-20T09:31:52.871Z";
  const times = { placed_at: time, started_at: time, finished_at: time };
  const order = { number: 17, status: "ready", item: "americano", note: channel, barista: "barista-1", attempts: 1 };
  const json = JSON.stringify({ order_id: channel, ...order, ...times });
  const { status } = await connection.send("POST", `/pub/${channel}`, { json });
  if (![200, 201, 202].includes(status)) throw new Error(`publish was answered ${status}`);
  note(report.finished, channel, sentAt);
}

export async function hold(settings: Settings): Promise<Finding> {
  const wanted = settings.isQuick ? [100, 300] : [1000, 5000, 9000, 16_000];
  const { sizes, remarks } = withinOpenFiles(wanted);
  const [few = 0, many = 0] = settings.isQuick ? wanted : [1000, 9000];
  const nchan = findNchan();
  const variants = sizes.flatMap((size) => {
    const own = (name: string, how: Omit<Held, "size"> = {}) => {
      return { group: sizeLabel(size), name, measure: () => measure({ size, ...how }, settings) };
    };
    const others = [own(BEGUN, { isBegun: true }), own(ELSEWHERE, { isElsewhere: true })];
    const beside = { group: sizeLabel(size), name: NCHAN, measure: () => measureNchan(size, nchan ?? "", settings) };
    const isEnd = size === few || size === many;
    return [own(OWN), ...(size === many ? others : []), ...(isEnd && nchan ? [beside] : [])];
  });
  const comparison = {
    title: "Held customers, 200 finishes a second",
    groupLabel: "held",
    metrics: METRICS,
    series: await measureInTurn(variants, settings),
    goals: [...goalsOf(sizes, few, many), ...(nchan ? goalsBesideNchan(many) : [])],
    charts: [
      barChart("hold-memory.svg", "Server memory for each held customer", SERVER_KIB),
      barChart("hold-p99.svg", "Finish to the customer's last byte, p99", P99),
    ],
  };
  if (!nchan) remarks.push("Nchan left out: ngx_nchan_module.so is not installed (libnginx-mod-nchan on Debian).");
  return { comparisons: [comparison], remarks };
}

function goalsOf(sizes: readonly number[], few: number, many: number) {
  const at = (size: number, name = OWN) => ({ group: sizeLabel(size), name });
  const of = at(many);
  const size = sizeLabel(many);
  const connections = sizes.map((held) => {
    const what = `Redis connections at ${sizeLabel(held)}`;
    return { what, metric: "connections", of: at(held), atMost: MAX_REDIS_CONNECTIONS };
  });
  const elsewhere = { metric: "p99", of: at(many, ELSEWHERE), to: of };
  return [
    { what: `server KiB at ${size}`, metric: "serverKib", of, atMost: 5.5 },
    { what: "heartbeats begun", metric: "serverKib", of: at(many, BEGUN), atMost: 7.5 },
    { what: `Redis KiB at ${size}`, metric: "redisKib", of, atMost: 1 },
    ...connections,
    { what: `p99, at ${size} of at ${sizeLabel(few)}`, metric: "p99", of, to: at(few), atMost: 1.5 },
    { what: `p99 at ${size}, another replica of the same`, ...elsewhere, atMost: 2 },
  ];
}

function goalsBesideNchan(many: number) {
  const group = sizeLabel(many);
  const ends = { of: { group, name: OWN }, to: { group, name: NCHAN } };
  return [
    { what: `finish to answer p50 at ${group}, of Nchan's`, metric: "p50", ...ends, atMost: 5 },
    { what: `p99 at ${group}, of Nchan's`, metric: "p99", ...ends, atMost: 10 },
  ];
}

/** Whether answers have begun, with heartbeats; whether the baristas are at another server than the customers. */
type Held = { readonly size: number; readonly isBegun?: boolean; readonly isElsewhere?: boolean };

/** Customers are held, memory is read at rest, they are answered by the clock, and then all the others. */
async function measure({ size, isBegun, isElsewhere }: Held, settings: Settings): Promise<Sample> {
  // Long enough for no heartbeat to come, or soon.
  const beginsAfter = settings.isQuick ? 1 : 10;
  const environment = { HEARTBEAT_SECONDS: String(isBegun ? beginsAfter : 3600) };
  const [servers, last] = [isElsewhere ? 2 : 1, loadsFor(size)];
  return await inShop({ contender: LONGPOUR, environment, servers, loads: last + 1 }, async (shop) => {
    const { redis, server, fleet } = shop;
    const url = shop.servers.at(-1)?.baristas ?? server.baristas;
    const readMemory = async () => ({
      server: await settled(() => residentKib([server.process.pid]), restSeconds(settings)),
      redis: await redis.info("memory", "used_memory"),
    });
    // The code is compiled, and the heap has its working size, before memory is read.
    const early = await fleet.begin(baristas, { url, count: BARISTAS });
    const guests = await fleet.begin(customers, { url: server.customers, count: WARM_CUSTOMERS, prefix: "warm-" });
    await Bun.sleep(settings.isQuick ? 300 : 3000);
    const warm = [await guests.end(), await early.end()];

    const before = await readMemory();
    const parts = await beginShares(fleet, customers, size, (share) => ({ ...guestsOf(share), url: server.customers }));
    await untilHeld(server, size);
    if (isBegun) await Bun.sleep((beginsAfter + 1) * 1000);
    const after = await readMemory();
    // With two servers it is not known whose they are.
    const connections: Sample = isElsewhere ? {} : { connections: await redis.countConnections() };

    const paced = await fleet.begin(finishers, { url }, last);
    await redis.forgetFsyncs();
    const window = await pacedStretch(paced, settings);
    const longestFsync = await redis.longestFsyncMs();
    const ends = endAll(parts);
    const finished = await paced.end();
    const staff = await fleet.begin(baristas, { url, count: BARISTAS }, last);
    const seen = [finished, ...(await ends), await staff.end()];
    checkDelivery([...warm, ...seen]);
    const [serverKib, redisKib] = [(after.server - before.server) / size, (after.redis - before.redis) / 1024 / size];
    return { serverKib, redisKib, ...connections, ...latencies(seen, window), longestFsync };
  });
}

async function measureNchan(size: number, module: string, settings: Settings): Promise<Sample> {
  const { nginx, url } = await startNchan(module);
  const fleet = new Fleet(loadsFor(size) + 1);
  try {
    const names: string[] = [];
    const readMemory = (): number => residentKib(childrenOf(nginx.pid));
    const before = readMemory();
    const parts = await beginShares(fleet, customers, size, (share) => {
      const { prefix } = guestsOf(share);
      for (let index = 0; index < share.count; index++) names.push(`${prefix}${index}`);
      return { ...guestsOf(share), url, isSubscriber: true };
    });
    const after = await settled(readMemory, restSeconds(settings));
    const paced = await fleet.begin(publishers, { url, names }, loadsFor(size));
    const window = await pacedStretch(paced, settings);
    await Bun.sleep(restSeconds(settings) * 100);
    const ends = endAll(parts);
    const seen = [await paced.end(), ...(await ends)];
    checkDelivery(seen);
    return { serverKib: (after - before) / size, ...latencies(seen, window) };
  } finally {
    await fleet.close();
    await nginx[Symbol.asyncDispose]();
  }
}

function restSeconds({ isQuick }: Settings): number {
  return isQuick ? 1 : 5;
}

/** The customers of one process of the load. */
function guestsOf({ first, count, from }: Share): Pick<CustomersSpec, "count" | "prefix" | "from"> {
  return { count, prefix: `h${first}-`, from: [from] };
}

/** They finish, or publish, by the clock, and then no more. */
async function pacedStretch(paced: Part, { seconds, isQuick }: Settings): Promise<Window> {
  await Bun.sleep(isQuick ? 200 : 1000);
  const window = await stretch(seconds);
  await paced.pause();
  return window;
}

/** From the sending of each finish in the window to its customer's last byte. */
function latencies(reports: readonly Report[], window: Window): Sample {
  const { answered, finished } = mergeReports(reports);
  const answeredAt = answerTimes(answered);
  const took = finished.ids.flatMap((id, index) => {
    const sentAt = finished.sentAt[index] ?? NaN;
    return sentAt >= window.from && sentAt < window.until ? [(answeredAt.get(id) ?? NaN) - sentAt] : [];
  });
  return { p50: quantile(took, 0.5), p99: quantile(took, 0.99) };
}
