/**
 * Owns the cycle's runs with wrk as the load.
 *
 * Customers end first: they order until a moment, and are all answered before wrk's connections are closed. Then the
 * baristas end, who are held for an order by then, and hold none.
 *
 * **Invariants**
 * - What can be checked is checked: no answer and no connection was wrong, and no order is left.
 * - The shop finished as many orders as wrk's customers had answers, with three events each.
 * - Whose answer went to whom wrk can't say.
 */
import type { Redis } from "ioredis";
import type { Sample, Settings } from "./comparison.ts";
import { until } from "./process.ts";
import { BULLMQ, inShop, LONGPOUR, type Contender, type Shop } from "./shop.ts";
import { measureUsage } from "./stretch.ts";
import { Wrk, type WrkReport } from "./wrk.ts";

interface WrkCycle {
  /** Path of wrk. */
  readonly program: string;
  readonly contender: Contender;
  readonly customers: number;
  readonly baristas: number;
  readonly withNext?: boolean;
}

/** What a shop itself says of its orders. */
interface Tally {
  /** Queued, or started. */
  readonly open: number;
  readonly finished: number;
  /** How many events there were for each order: placed, started, finished. A peer has none to count. */
  readonly eventsPerOrder: number;
}

/** After the customers have come, before the measured stretch. */
const ARRIVE_MS = 500;
/** Nothing has changed for so long: no order is on its way. */
const QUIET_MS = 300;
const QUIET_BOUND_SECONDS = 60;
const EVENTS_PER_ORDER = 3;

export async function measureByWrk(run: WrkCycle, { seconds, isQuick }: Settings): Promise<Sample> {
  const { program, contender, baristas, withNext } = run;
  return await inShop({ contender, loads: 0 }, async (shop) => {
    const { baristas: url } = shop.server;
    const args = withNext ? ["next"] : [];
    using staff = new Wrk(program, { script: "baristas.lua", url, connections: baristas, args });
    const warm = await runCustomers(run, shop, isQuick ? 1 : 3);
    let sample: Sample = {};
    const measured = await runCustomers(run, shop, seconds, async (customers) => {
      const fleet = {
        get processorSeconds() {
          return staff.processorSeconds + customers.processorSeconds;
        },
      };
      const countOrders = async (): Promise<number> => (await tallyOrders(contender, shop)).finished;
      const { window, orders, usage } = await measureUsage({ ...shop, fleet }, seconds, countOrders);
      sample = { perSecond: orders / ((window.until - window.from) / 1000), ...usage };
    });
    await staff.end();
    checkTally(await tallyOrders(contender, shop), warm.requests + measured.requests);
    const { p50, p99 } = measured;
    return { ...sample, p50, p99 };
  });
}

/**
 * Customers order for so many seconds and a bit more, `during` which something else is done. Resolves once all are
 * answered.
 */
async function runCustomers(
  { program, contender, customers: connections }: WrkCycle,
  shop: Shop,
  seconds: number,
  during: (customers: Wrk) => Promise<void> = async () => {},
): Promise<WrkReport> {
  const endsAt = Math.ceil((Date.now() + ARRIVE_MS) / 1000 + seconds) + 1;
  const { customers: url } = shop.server;
  using customers = new Wrk(program, { script: "customers.lua", url, connections, args: [String(endsAt)] });
  await Bun.sleep(ARRIVE_MS);
  await during(customers);
  await Bun.sleep(Math.max(0, endsAt * 1000 - Date.now()));
  let before = -1;
  const isQuiet = async (): Promise<boolean> => {
    await Bun.sleep(QUIET_MS);
    const { open, finished } = await tallyOrders(contender, shop);
    const isSame = finished === before;
    before = finished;
    return isSame && open === 0;
  };
  await until(isQuiet, "all of wrk's customers are answered", QUIET_BOUND_SECONDS);
  return await customers.end();
}

function checkTally({ open, finished, eventsPerOrder }: Tally, answered: number): void {
  if (open === 0 && finished === answered && eventsPerOrder === EVENTS_PER_ORDER) return;
  throw new Error(
    `delivery was not exact: wrk's customers had ${answered} answers, the shop finished ${finished} orders with ` +
      `${eventsPerOrder} events each, and ${open} are left`,
  );
}

async function tallyOrders(contender: Contender, { redis: { client }, server }: Shop): Promise<Tally> {
  if (contender === BULLMQ) return await tallyBullmq(client);
  if (contender !== LONGPOUR) throw new Error(`${contender.name} does not count its orders`);
  // The index names every order, and the number of the newest event says how many there were.
  const prefix = LONGPOUR.recordPrefix.replace("order:", "");
  const placed = await client.zcard(`${prefix}orders`);
  const { depth, brewing } = await server.readQueue();
  const [newest] = await client.xrevrange(`${prefix}events`, "+", "-", "COUNT", 1);
  const events = Number(newest?.[0].split("-")[1] ?? 0);
  return { open: depth + brewing, finished: placed - depth - brewing, eventsPerOrder: events / placed };
}

async function tallyBullmq(client: Redis): Promise<Tally> {
  const prefix = BULLMQ.recordPrefix;
  const finished = await client.zcard(`${prefix}completed`);
  const open = (await client.llen(`${prefix}wait`)) + (await client.llen(`${prefix}active`));
  return { open, finished, eventsPerOrder: EVENTS_PER_ORDER };
}
