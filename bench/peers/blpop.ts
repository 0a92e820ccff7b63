/**
 * The naive twin: the same stream and keys with plain commands, and one Redis connection for each customer who waits,
 * blocked on their order's bell with BLPOP. Connections are kept and used again.
 */
import { Redis } from "ioredis";
import { redisUrl, servePeer, type PeerOrder, type PeerQueue } from "./serve.ts";

const QUEUE = "{naive}:queue";
const GROUP = "baristas";
const BELL_SECONDS = 120;
const BLOCK_SECONDS = 30;

const orderKey = (id: string): string => `{naive}:order:${id}`;
const bellKey = (id: string): string => `{naive}:bell:${id}`;

class BlockingPool {
  readonly #url: string;
  readonly #free: Redis[] = [];

  constructor(url: string) {
    this.#url = url;
  }

  /** Lends a connection of its own to `use`. */
  async lend<Result>(use: (redis: Redis) => Promise<Result>): Promise<Result> {
    const redis = this.#free.pop() ?? new Redis(this.#url, { maxRetriesPerRequest: null });
    try {
      return await use(redis);
    } finally {
      this.#free.push(redis);
    }
  }
}

class NaiveQueue implements PeerQueue {
  readonly #redis: Redis;
  readonly #pool: BlockingPool;

  constructor(url: string) {
    this.#redis = new Redis(url, { maxRetriesPerRequest: null });
    this.#pool = new BlockingPool(url);
  }

  async open(): Promise<this> {
    await this.#redis.xgroup("CREATE", QUEUE, GROUP, "0", "MKSTREAM");
    return this;
  }

  async order(order: PeerOrder): Promise<PeerOrder> {
    const id = order.order_id;
    await this.#redis
      .multi()
      .hset(orderKey(id), { ...order })
      .xadd(QUEUE, "*", "order_id", id)
      .exec();
    await this.#pool.lend(async (redis) => {
      while (!(await redis.blpop(bellKey(id), BLOCK_SECONDS))) {
        // Rung when it is ready.
      }
    });
    return await this.#find(id);
  }

  async start(barista: string, seconds: number): Promise<PeerOrder | undefined> {
    const entry = await this.#pool.lend((redis) => readOne(redis, barista, seconds));
    if (!entry) return undefined;
    const started = { status: "brewing", barista, started_at: new Date().toISOString(), entry: entry.entryId };
    await this.#redis.hset(orderKey(entry.orderId), started);
    return await this.#find(entry.orderId);
  }

  async finish(orderId: string): Promise<PeerOrder | undefined> {
    const [status, entry] = await this.#redis.hmget(orderKey(orderId), "status", "entry");
    if (status !== "brewing" || !entry) return undefined;
    await this.#redis
      .multi()
      .hset(orderKey(orderId), { status: "ready", finished_at: new Date().toISOString() })
      .xack(QUEUE, GROUP, entry)
      .xdel(QUEUE, entry)
      .rpush(bellKey(orderId), "1")
      .expire(bellKey(orderId), BELL_SECONDS)
      .exec();
    return await this.#find(orderId);
  }

  async #find(id: string): Promise<PeerOrder> {
    const { entry: _, ...order } = await this.#redis.hgetall(orderKey(id));
    return order as Record<string, string> & PeerOrder;
  }
}

/** Takes the oldest entry; blocks up to `seconds` where there is none. */
async function readOne(
  redis: Redis,
  barista: string,
  seconds: number,
): Promise<{ entryId: string; orderId: string } | undefined> {
  const group = ["GROUP", GROUP, barista, "COUNT", "1"];
  const block = seconds > 0 ? ["BLOCK", String(seconds * 1000)] : [];
  const reply = await redis.call("XREADGROUP", ...group, ...block, "STREAMS", QUEUE, ">");
  // The map of streams comes as a flat list: the stream's name, then its entries.
  const [, entries] = (reply ?? []) as [string?, Entries?];
  const [entryId, fields] = entries?.[0] ?? [];
  const orderId = fields?.[1];
  return entryId === undefined || orderId === undefined ? undefined : { entryId, orderId };
}

type Entries = readonly (readonly [string, readonly string[]])[];

servePeer(await new NaiveQueue(redisUrl()).open());
