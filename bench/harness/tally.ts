/** Owns what a shop itself says of its orders: for a load that notes no ids. */
import type { BenchRedis } from "./redis.ts";
import { BULLMQ, LONGPOUR, type Contender } from "./server.ts";
import type { Shop } from "./shop.ts";

export interface Tally {
  /** Queued, or started. */
  readonly open: number;
  readonly finished: number;
  /** How many events there were for each order: placed, started, finished. Undefined where there are none to count. */
  readonly eventsPerOrder?: number;
}

const PREFIX = LONGPOUR.recordPrefix.replace("order:", "");

export async function tallyOrders(contender: Contender, shop: Shop): Promise<Tally> {
  if (contender === LONGPOUR) return await tallyLongpour(shop);
  if (contender === BULLMQ) return await tallyBullmq(shop);
  throw new Error(`${contender.name} does not count its orders`);
}

/** The index names every order, and the number of the newest event says how many there were. */
async function tallyLongpour({ redis, server }: Shop): Promise<Tally> {
  const placed = await count(redis, "ZCARD", `${PREFIX}orders`);
  const { depth, brewing } = (await (await fetch(`${server.baristas}/queue`)).json()) as Record<
    "depth" | "brewing",
    number
  >;
  const [newest] = (await redis.ask("XREVRANGE", `${PREFIX}events`, "+", "-", "COUNT", "1")) as [string, unknown][];
  const events = Number(newest?.[0].split("-")[1] ?? 0);
  return { open: depth + brewing, finished: placed - depth - brewing, eventsPerOrder: events / placed };
}

async function tallyBullmq({ redis }: Shop): Promise<Tally> {
  const [finished, waiting, active] = await Promise.all([
    count(redis, "ZCARD", `${BULLMQ.recordPrefix}completed`),
    count(redis, "LLEN", `${BULLMQ.recordPrefix}wait`),
    count(redis, "LLEN", `${BULLMQ.recordPrefix}active`),
  ]);
  return { open: waiting + active, finished };
}

async function count(redis: BenchRedis, command: string, key: string): Promise<number> {
  return Number(await redis.ask(command, key));
}
