/**
 * Owns the orders of one test's own shop: its verbs, a plain client to look and meddle with, and its whole state.
 */
import type { Redis } from "ioredis";
import type { Call } from "../../src/orders/operations/call.ts";
import type { Placement } from "../../src/orders/operations/place.ts";
import { createOrders, DEFAULT_QUEUE, type OrderSettings } from "../../src/orders/orders.ts";
import { declareQueues, type QueueRules } from "../../src/orders/queues.ts";
import type { ShopRedis } from "../../src/redis/connections.ts";
import type { RunScript } from "../../src/redis/script.ts";
import { Fixture } from "./fixture.ts";
import { openTestShop, sharedRedis, silent, type TestRedis } from "./redis.ts";
import { changesBy, parseRecord, readState, type OrderRecord, type State } from "./state.ts";
import { until } from "./until.ts";
import { parsing, type ParsedOrders } from "./wire.ts";

/** The settings of a server, but for what a test changes. */
export const ORDER_SETTINGS: OrderSettings = {
  leaseSeconds: 900,
  maxAttempts: 3,
  retentionHours: 168,
  limitCapacity: 250,
  limitRefillPerSecond: 1,
  outageSeconds: 5,
};

/** A queue of machines, but for what a test changes: no rule of it is the counter's. */
export const QUEUE_RULES: QueueRules = {
  name: "thumbs",
  capacity: 100,
  leaseSeconds: 60,
  maxAttempts: 2,
  retentionSeconds: 3600,
  limitCapacity: 3,
  limitRefillPerSecond: 0.5,
};

interface LastRun {
  readonly answer: unknown;
  readonly sendAgain: () => Promise<unknown>;
}

interface Starting {
  readonly claimId?: string;
  readonly queue?: string;
  readonly orders?: ParsedOrders;
}

export class TestOrders extends Fixture {
  readonly redis: ShopRedis;
  readonly prefix: string;
  readonly orders: ParsedOrders;

  private constructor(server: TestRedis, shop: string, redis: ShopRedis) {
    super(server, shop);
    this.opened(() => redis.close());
    this.redis = redis;
    this.prefix = redis.keys.prefix;
    this.orders = this.ordersWith({});
  }

  static async open(): Promise<TestOrders> {
    const { redis, shop } = await openTestShop();
    return new TestOrders(await sharedRedis(), shop, redis);
  }

  /** A plain client to look and meddle with. */
  get client(): Redis {
    return this.outside;
  }

  /** The verbs of the same shop under other settings. */
  ordersWith(settings: Partial<OrderSettings>): ParsedOrders {
    return parsing(createOrders(this.redis, { ...ORDER_SETTINGS, ...settings }));
  }

  /** Places orders one after the other, and returns when all are queued. */
  async place(ids: readonly string[], own: Partial<Placement> = {}): Promise<void> {
    for (const orderId of ids) await this.orders.place({ orderId, queue: DEFAULT_QUEUE, draft: {}, ...own });
  }

  /** Declares a queue of machines. */
  async declare(own: Partial<QueueRules> = {}): Promise<void> {
    await declareQueues(this.redis.run, [{ ...QUEUE_RULES, ...own }], silent);
  }

  /** Calls machines, one order after the other, and returns when all are queued. */
  async call(ids: readonly string[], own: Partial<Call> = {}): Promise<void> {
    for (const orderId of ids) await this.orders.call({ orderId, queue: QUEUE_RULES.name, input: "{}", ...own });
  }

  /** Starts an order, and returns its id; null when there was none. */
  async start(
    barista: string,
    { claimId, queue = DEFAULT_QUEUE, orders = this.orders }: Starting = {},
  ): Promise<string | null> {
    const outcome = await orders.start({ claimId, barista, queue });
    return outcome.kind === "started" ? outcome.orderId : null;
  }

  /** Starts an order under so short a lease that it has run out when this returns. */
  async startAndLoseLease(barista: string): Promise<string> {
    const id = await this.start(barista, { orders: this.ordersWith({ leaseSeconds: 0.05 }) });
    if (id === null) throw new Error("no order to start");
    await until(() => this.#hasLeaseRunOut(id), `the lease of ${id} runs out`);
    return id;
  }

  async #hasLeaseRunOut(id: string): Promise<boolean> {
    const deadlineMs = Number(await this.client.zscore(this.key(`leases:${DEFAULT_QUEUE}`), id));
    const [seconds, micros] = await this.client.time();
    return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000) >= deadlineMs;
  }

  /** The stored order, line by line. Throws where there is none. */
  async record(id: string): Promise<OrderRecord> {
    return parseRecord((await this.client.get(this.key(`order:${id}`))) ?? "");
  }

  /** The time is over that an order waits after it failed, or is scheduled for; whatever the clock says. */
  async comeDue(id: string): Promise<void> {
    const { status, due, queue } = await this.record(id);
    const record = (await this.client.get(this.key(`order:${id}`))) ?? "";
    await this.client.set(this.key(`order:${id}`), record.replace(`\n${due}\n`, "\n1\n"));
    await this.client.zadd(this.key(`${status === "scheduled" ? status : "delayed"}:${queue}`), "XX", 1, id);
  }

  /** Asks for an order as a barista does who waits for one where there is none. */
  async startOrWait(barista: string, queue = DEFAULT_QUEUE): Promise<string | null> {
    const outcome = await this.orders.start({ barista, queue, waitsMs: 60_000 });
    return outcome.kind === "started" ? outcome.orderId : null;
  }

  /** The verbs of one server more, and its last run: what Redis answered, and how to send it again. */
  recorded(settings: Partial<OrderSettings> = {}): { orders: ParsedOrders; last: () => LastRun } {
    let last: LastRun | undefined;
    const run: RunScript = async (script, args) => {
      const answer = await this.redis.run(script, args);
      if (script.name === "commit") last = { answer, sendAgain: () => this.redis.run(script, args) };
      return answer;
    };
    return {
      orders: parsing(
        createOrders({ run, runWhenReconnected: this.redis.runWhenReconnected }, { ...ORDER_SETTINGS, ...settings }),
      ),
      last: () => {
        if (!last) throw new Error("nothing has run");
        return last;
      },
    };
  }

  /** Makes an order look as if it had been placed so much earlier. */
  async age(id: string, ms: number): Promise<void> {
    await this.client.zincrby(this.key("orders"), -ms, id);
  }

  key(name: string): string {
    return this.prefix + name;
  }

  /** Whole milliseconds that the key has left. */
  async ttlMs(name: string): Promise<number> {
    return await this.client.pttl(this.key(name));
  }

  async state(): Promise<State> {
    return await readState(this.client, this.prefix);
  }

  /** Each line of the state that `act` changes, as `before → after`. */
  async changes(act: () => Promise<unknown>): Promise<State> {
    return await changesBy(this.client, this.prefix, act);
  }

  /** Collects the wakes of baristas from now on. */
  async wakes(): Promise<string[]> {
    const wakes: string[] = [];
    this.redis.listen(this.redis.keys.wake, (message) => message !== null && wakes.push(message));
    await until(async () => (await this.client.pubsub("NUMSUB", this.redis.keys.wake))[1] === 1, "the wakes are heard");
    return wakes;
  }
}
