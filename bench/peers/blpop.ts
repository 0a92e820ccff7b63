/**
 * The naive twin: the same stream and keys with plain commands, and one Redis connection for each customer who waits,
 * blocked on their order's bell with BLPOP. Connections are kept and used again.
 */
import { Redis } from "ioredis";
import { now, servePeer, type PeerOrder } from "./serve.ts";

const QUEUE = "{naive}:queue";
const GROUP = "baristas";
const BELL_SECONDS = 120;
const BLOCK_SECONDS = 30;

const redis = new Redis(process.env.REDIS_URL ?? "", { maxRetriesPerRequest: null });
const free: Redis[] = [];
const orderKey = (id: string): string => `{naive}:order:${id}`;
const bellKey = (id: string): string => `{naive}:bell:${id}`;

/** Lends a connection of its own to `use`. */
async function lend<Result>(use: (own: Redis) => Promise<Result>): Promise<Result> {
  const own = free.pop() ?? redis.duplicate();
  return await use(own).finally(() => free.push(own));
}

async function find(id: string): Promise<PeerOrder> {
  const { entry: _, ...order } = await redis.hgetall(orderKey(id));
  return order as Record<string, string> & PeerOrder;
}

/** Takes the oldest entry; blocks up to `seconds` where there is none. */
async function readOne(own: Redis, barista: string, seconds: number) {
  const group = ["GROUP", GROUP, barista, "COUNT", "1"];
  const block = seconds > 0 ? ["BLOCK", String(seconds * 1000)] : [];
  const reply = await own.call("XREADGROUP", ...group, ...block, "STREAMS", QUEUE, ">");
  // The map of streams comes as a flat list: the stream's name, then its entries.
  const [, entries] = (reply ?? []) as [string?, (readonly [string, readonly string[]])[]?];
  const [entry, fields] = entries?.[0] ?? [];
  const id = fields?.[1];
  return entry === undefined || id === undefined ? undefined : { entry, id };
}

await redis.xgroup("CREATE", QUEUE, GROUP, "0", "MKSTREAM");
servePeer({
  order: async (order) => {
    const { order_id: id } = order;
    const queue = redis.multi().hset(orderKey(id), { ...order });
    await queue.xadd(QUEUE, "*", "order_id", id).exec();
    await lend(async (own) => {
      while (!(await own.blpop(bellKey(id), BLOCK_SECONDS))) {
        // Rung when it is ready.
      }
    });
    return await find(id);
  },
  start: async (barista, seconds) => {
    const taken = await lend((own) => readOne(own, barista, seconds));
    if (!taken) return undefined;
    const { entry, id } = taken;
    await redis.hset(orderKey(id), { status: "brewing", barista, started_at: now(), entry });
    return await find(id);
  },
  finish: async (id) => {
    const [status, entry] = await redis.hmget(orderKey(id), "status", "entry");
    if (status !== "brewing" || !entry) return undefined;
    const done = redis.multi().hset(orderKey(id), { status: "ready", finished_at: now() });
    done.xack(QUEUE, GROUP, entry).xdel(QUEUE, entry);
    await done.rpush(bellKey(id), "1").expire(bellKey(id), BELL_SECONDS).exec();
    return await find(id);
  },
});
