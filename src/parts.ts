/**
 * Owns what is below the ports of a server: Redis, orders, and those who wait for them.
 *
 * **Invariants**
 * - Each part is registered as soon as it is open: a failure half-way closes it again.
 */
import type { Config } from "./config.ts";
import { EventFeed } from "./events/feed.ts";
import type { Lifecycle } from "./lifecycle.ts";
import { RejectionLog } from "./limits/rejection-log.ts";
import type { Log } from "./log.ts";
import { WaitingRoom } from "./longpoll/room.ts";
import { WakeRoom } from "./longpoll/wake-room.ts";
import { DEFAULT_QUEUE } from "./orders/orders.ts";
import { openFormat } from "./orders/format.ts";
import { createOrders, type Orders } from "./orders/orders.ts";
import type { OrderJson } from "./orders/order.ts";
import { isFinal } from "./orders/status.ts";
import { declareQueues, type QueueRules } from "./orders/queues.ts";
import { startSweeper } from "./orders/sweeper.ts";
import { openCards } from "./payments/cards.ts";
import type { RedisAddress } from "./redis/connect.ts";
import { openRedis, type ShopRedis } from "./redis/connections.ts";
import { Rules } from "./rules/rules.ts";
import type { DefineRule } from "./rules/rules-file.ts";
import { startEmbeddedRedis } from "./redis/embedded/server.ts";
import { StatsCounter } from "./stats/counter.ts";
import { LostOrders } from "./service/lost-orders.ts";
import { createOrderEnds } from "./service/order-ends.ts";
import { createShop } from "./shop/settings.ts";
import { Tally } from "./tally.ts";
import { WebhookSender } from "./webhooks/sender.ts";
import { readTraces } from "./trace-settings.ts";
import { openTracing } from "./tracing/tracing.ts";

/** What every part of a server is opened with. */
export interface Ground {
  readonly config: Config;
  readonly log: Log;
  readonly lifecycle: Lifecycle;
}

interface Opening {
  /** The rules of the queues of machines. */
  readonly rules: readonly QueueRules[];
  /** The rules of events. */
  readonly eventRules: readonly DefineRule[];
  /** Called once a newer version has taken over the shop's data. */
  readonly superseded: () => void;
}

export type Parts = Awaited<ReturnType<typeof openParts>>;

export async function openParts(ground: Ground, { rules, eventRules, superseded }: Opening) {
  const { config, log, lifecycle } = ground;
  const redis = await openRedis({ address: await findRedis(ground), ...config, log });
  lifecycle.opened("Redis connections", () => redis.close());
  await openFormat(redis, { shop: config.shop, log });
  await declareQueues(redis.run, rules, log);
  const shop = createShop(redis, DEFAULT_QUEUE);
  if (config.payment) await shop.change({ payment: config.payment });
  const { orders, tracing } = await openOrders(ground, redis, { rules, superseded });
  const room = new WaitingRoom(createOrderEnds(redis, orders, log), redis, config.lanes);
  orders.onFinal(room);
  lifecycle.opened("waiting room", () => room.close());
  const sweeper = startSweeper(orders, log);
  lifecycle.opened("sweeper", () => sweeper.stop());
  const refusals = new Tally();
  const rejectionLog = new RejectionLog(log, refusals);
  lifecycle.opened("rejection log", () => rejectionLog.close());
  const lostOrders = new LostOrders(log);
  lifecycle.opened("lost orders", () => lostOrders.close());
  const feed = new EventFeed(redis, config.shop);
  lifecycle.opened("event feed", () => feed.close());
  const baristaRoom = new WakeRoom(redis, redis.keys.wake);
  const cards = await openCards({ ...ground, redis, payments: orders.payments });
  if (!cards && (await shop.read()).settings.payment === "card") {
    log.warn("orders are paid by card here, and this server can't take them: set STRIPE_SECRET_KEY, or PATCH /shop");
  }
  const statsCounter = new StatsCounter(redis.run, log, config.stats);
  lifecycle.opened("counting of stats", () => statsCounter.stop());
  const deliveringRules = await openRules(ground, { redis, orders, defined: eventRules });
  return {
    redis,
    orders,
    shop,
    room,
    baristaRoom,
    refusals,
    rejectionLog,
    lostOrders,
    feed,
    cards,
    statsCounter,
    deliveringRules,
    tracing,
  };
}

interface RulesOpening {
  readonly redis: ShopRedis;
  readonly orders: Orders;
  readonly defined: readonly DefineRule[];
}

/** Those of the file and of the server itself, and what they deliver with. */
async function openRules({ config, log, lifecycle }: Ground, { redis, orders, defined }: RulesOpening) {
  const sender = new WebhookSender({ allowed: config.webhookAllow });
  lifecycle.opened("webhooks", () => sender.close());
  const findFinal = async (orderId: string): Promise<OrderJson | undefined> => {
    const found = await orders.find(orderId);
    return found.kind === "found" && isFinal(found.status) ? found.order : undefined;
  };
  const rules = new Rules({
    redis,
    rules: defined.map((define) => define({ ...config, log, sender, findFinal })),
    log,
  });
  lifecycle.opened("rules", () => rules.close());
  await rules.forgetOld(log);
  await rules.begun();
  return rules;
}

/** The orders, and what traces them, if anything does. */
async function openOrders(
  { config, log, lifecycle }: Ground,
  redis: ShopRedis,
  { rules, superseded }: Pick<Opening, "rules" | "superseded">,
) {
  let isSuperseded = false;
  const queueNames = rules.map(({ name }) => name);
  const orders = createOrders(redis, { ...config, queueNames }, (version) => {
    if (isSuperseded) return;
    isSuperseded = true;
    log.warn({ version }, "a newer version has taken over the shop's data: giving way, customers are sent on");
    superseded();
  });
  lifecycle.opened("orders", () => orders.close());
  const tracing = await openTracing({ traces: readTraces(config), replica: orders.replica, log });
  if (!tracing) return { orders, tracing };
  lifecycle.opened("tracing", () => tracing.close());
  return { orders: tracing.traceOrders(orders), tracing };
}

/** The Redis of REDIS_URL, or one of our own. */
async function findRedis({ config: { redisUrl, dataDir }, log, lifecycle }: Ground): Promise<RedisAddress> {
  if (redisUrl) return { url: redisUrl };
  const embedded = await startEmbeddedRedis({ dataDir, log });
  lifecycle.opened("embedded Redis", () => embedded.stop());
  return { socketPath: embedded.socketPath };
}
