/**
 * Owns the cycle's runs with wrk as the load.
 *
 * Customers end first: they order until a moment, and are all answered before wrk's connections are closed. Then the
 * baristas end, who are held for an order by then, and hold none.
 *
 * **Invariants**
 * - What can be checked is checked.
 * - No answer and no connection was wrong.
 * - The shop finished as many orders as wrk's customers had answers, with three events each.
 * - None is left.
 * - Whose answer went to whom wrk can't say.
 */
import { clock } from "./clock.ts";
import type { Sample, Settings } from "./comparison.ts";
import { CUSTOMERS } from "./cycling.ts";
import type { Contender } from "./server.ts";
import { until } from "./settle.ts";
import { inShop, type Shop } from "./shop.ts";
import { tallyOrders } from "./tally.ts";
import { measureUsage } from "./usage.ts";
import { Wrk, type WrkReport } from "./wrk.ts";

export interface WrkCycleOptions {
  /** Path of wrk. */
  readonly program: string;
  readonly contender: Contender;
  readonly baristas: number;
  readonly withNext?: boolean;
}

/** After the customers have come, before the measured stretch. */
const ARRIVE_MS = 500;
/** Nothing has changed for so long: no order is on its way. */
const QUIET_MS = 300;
const QUIET_BOUND_SECONDS = 60;
const EVENTS_PER_ORDER = 3;

export async function measureWrkCycle(
  { program, contender, baristas, withNext = false }: WrkCycleOptions,
  { seconds, isQuick }: Settings,
): Promise<Sample> {
  return await inShop({ contender, loads: 0 }, async (shop) => {
    using staff = new Wrk(program, {
      script: "baristas.lua",
      url: shop.server.baristas,
      connections: baristas,
      args: withNext ? ["next"] : [],
    });
    const run = { program, contender, shop };
    const warm = await runCustomers(run, isQuick ? 1 : 3);
    let sample: Sample = {};
    const measured = await runCustomers(run, seconds, async (customers) => {
      sample = await measureStretch(run, [staff, customers], seconds);
    });
    await staff.end();
    await checkTally(run, warm.requests + measured.requests);
    const { p50, p99 } = measured;
    return { ...sample, p50, p99 };
  });
}

interface Run {
  readonly program: string;
  readonly contender: Contender;
  readonly shop: Shop;
}

/**
 * Customers order for so many seconds and a bit more, `during` which something else is done. Resolves once all are
 * answered.
 */
async function runCustomers(
  { program, contender, shop }: Run,
  seconds: number,
  during: (customers: Wrk) => Promise<void> = async () => {},
): Promise<WrkReport> {
  const endsAt = Math.ceil((Date.now() + ARRIVE_MS) / 1000 + seconds) + 1;
  const url = shop.server.customers;
  using customers = new Wrk(program, { script: "customers.lua", url, connections: CUSTOMERS, args: [String(endsAt)] });
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

async function measureStretch({ contender, shop }: Run, load: readonly Wrk[], seconds: number): Promise<Sample> {
  const fleet = {
    get processorSeconds() {
      return load.reduce((sum, wrk) => sum + wrk.processorSeconds, 0);
    },
  };
  const before = await tallyOrders(contender, shop);
  const from = clock();
  const usage = await measureUsage({ ...shop, fleet });
  await Bun.sleep(seconds * 1000);
  const tookMs = clock() - from;
  const after = await tallyOrders(contender, shop);
  const orders = after.finished - before.finished;
  return { perSecond: orders / (tookMs / 1000), ...(await usage(orders)) };
}

async function checkTally({ contender, shop }: Run, answered: number): Promise<void> {
  const { open, finished, eventsPerOrder = EVENTS_PER_ORDER } = await tallyOrders(contender, shop);
  if (open === 0 && finished === answered && eventsPerOrder === EVENTS_PER_ORDER) return;
  throw new Error(
    `delivery was not exact: wrk's customers had ${answered} answers, the shop finished ${finished} orders with ` +
      `${eventsPerOrder} events each, and ${open} are left`,
  );
}
