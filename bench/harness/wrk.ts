/**
 * Owns the cycle's runs with wrk as the load: processes with one thread each, and the script of bench/wrk.
 *
 * Customers end first: they order until a moment, and are all answered before wrk's connections are closed. Then the
 * baristas end, who are held for an order by then, and hold none.
 *
 * **Invariants**
 * - What can be checked is checked: no answer and no connection was wrong, and no order is left.
 * - The shop finished as many orders as wrk's customers had answers, with three events each.
 * - Whose answer went to whom wrk can't say.
 */
import { join } from "node:path";
import { lookAtQueue } from "../../test/support/http.ts";
import { until } from "../../test/support/until.ts";
import type { Sample, Settings } from "./comparison.ts";
import { processorSeconds, spawn } from "./process.ts";
import { BULLMQ, inShop, LONGPOUR, type Contender, type Shop } from "./shop.ts";
import { measureUsage } from "./stretch.ts";

const SCRIPT = join(import.meta.dir, "../wrk/cycle.lua");
/** wrk runs until it is ended: far above every run. What took longer than the timeout it counts as an error. */
const LIMITS = ["-t1", "-d3600s", "--timeout", "60s"];
const END_TIMEOUT_MS = 10_000;
/** After the customers have come, before the measured stretch. */
const ARRIVE_MS = 500;
/** Nothing has changed for so long: no order is on its way. */
const QUIET_MS = 300;
const QUIET_TIMEOUT_MS = 60_000;
const EVENTS_PER_ORDER = 3;

/** What wrk saw: requests that were answered, what was wrong, and waits in ms. */
type WrkReport = Readonly<Record<"requests" | "unexpected" | "socketErrors" | "p50" | "p99", number>>;

/** So many customers and baristas, who may finish and start the next in one request. */
interface WrkCycle extends Readonly<Record<"customers" | "baristas", number>> {
  readonly contender: Contender;
  readonly withNext?: boolean;
}

/** What a shop itself says of its orders: queued or started, finished, and how many events each has. */
type Tally = Readonly<Record<"open" | "finished" | "eventsPerOrder", number>>;

export function hasWrk(): boolean {
  return Bun.which("wrk") !== null;
}

export async function measureByWrk(run: WrkCycle, { seconds, isQuick }: Settings): Promise<Sample> {
  const { contender, withNext } = run;
  return await inShop({ contender, loads: 0 }, async (shop) => {
    const tally = () => tallyOrders(contender, shop);
    await using staff = startWrk(shop.server.baristas, run.baristas, ["baristas", withNext ? "next" : "none"]);
    const order = async (forSeconds: number, during = async (_wrk: Bun.Subprocess): Promise<void> => {}) => {
      const endsAt = Math.ceil((Date.now() + ARRIVE_MS) / 1000 + forSeconds) + 1;
      await using customers = startWrk(shop.server.customers, run.customers, ["customers", String(endsAt)]);
      await Bun.sleep(ARRIVE_MS);
      await during(customers);
      await Bun.sleep(Math.max(0, endsAt * 1000 - Date.now()));
      await untilQuiet(tally);
      return await endWrk(customers);
    };
    const warm = await order(isQuick ? 1 : 3);
    let sample: Sample = {};
    const { requests, p50, p99 } = await order(seconds, async (customers) => {
      const fleet = {
        get processorSeconds() {
          return processorSeconds([staff.pid, customers.pid]);
        },
      };
      const { window, orders, usage } = await measureUsage(
        { ...shop, fleet },
        seconds,
        async () => (await tally()).finished,
      );
      sample = { perSecond: orders / ((window.until - window.from) / 1000), ...usage };
    });
    await endWrk(staff);
    checkTally(await tally(), warm.requests + requests);
    return { ...sample, p50, p99 };
  });
}

function startWrk(url: string, connections: number, args: readonly string[]): Bun.Subprocess {
  const command = ["wrk", ...LIMITS, `-c${connections}`, "-s", SCRIPT, url, "--", ...args];
  return spawn(command, { stdio: ["ignore", "pipe", "inherit"] });
}

/** Closes its connections. Throws where an answer or a connection was not as it should be. */
async function endWrk(wrk: Bun.Subprocess): Promise<WrkReport> {
  wrk.kill("SIGINT");
  const timer = setTimeout(() => wrk.kill("SIGKILL"), END_TIMEOUT_MS);
  const output = await new Response(wrk.stdout as ReadableStream).text().finally(() => clearTimeout(timer));
  const line = output.split("\n").find((text) => text.startsWith("{"));
  const report = line === undefined ? undefined : (JSON.parse(line) as WrkReport);
  if (!report || report.unexpected > 0 || report.socketErrors > 0) throw new Error(`wrk saw ${line}`);
  return report;
}

/** Resolves once every order is finished, and no more come. */
async function untilQuiet(tally: () => Promise<Tally>): Promise<void> {
  let before = -1;
  const isQuiet = async (): Promise<boolean> => {
    await Bun.sleep(QUIET_MS);
    const { open, finished } = await tally();
    const isSame = finished === before;
    before = finished;
    return isSame && open === 0;
  };
  await until(isQuiet, "all of wrk's customers are answered", QUIET_TIMEOUT_MS);
}

function checkTally({ open, finished, eventsPerOrder }: Tally, answered: number): void {
  if (open === 0 && finished === answered && eventsPerOrder === EVENTS_PER_ORDER) return;
  throw new Error(
    `delivery was not exact: wrk's customers had ${answered} answers, the shop finished ${finished} orders with ` +
      `${eventsPerOrder} events each, and ${open} are left`,
  );
}

/** The peer has no events to count. Longpour's index names every order, and its newest event has the events' number. */
async function tallyOrders({ recordPrefix, name }: Contender, { redis: { client }, server }: Shop): Promise<Tally> {
  if (name === BULLMQ.name) {
    const finished = await client.zcard(`${recordPrefix}completed`);
    const open = (await client.llen(`${recordPrefix}wait`)) + (await client.llen(`${recordPrefix}active`));
    return { open, finished, eventsPerOrder: EVENTS_PER_ORDER };
  }
  if (name !== LONGPOUR.name) throw new Error(`${name} does not count its orders`);
  const prefix = recordPrefix.replace("order:", "");
  const placed = await client.zcard(`${prefix}orders`);
  const { depth, brewing } = await lookAtQueue(server);
  const [newest] = await client.xrevrange(`${prefix}events`, "+", "-", "COUNT", 1);
  const events = Number(newest?.[0].split("-")[1] ?? 0);
  return { open: depth + brewing, finished: placed - depth - brewing, eventsPerOrder: events / placed };
}
