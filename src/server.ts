/**
 * Owns what a server is made of: it opens all parts, puts them together, and closes them in turn.
 *
 * **Invariants**
 * - It either serves both ports, or has closed all that it had opened and throws.
 * - It touches nothing of the process: several can run in one.
 */
import { createBaristaApp } from "./api/baristas/app.ts";
import type { Config } from "./config.ts";
import { createCustomerApp } from "./api/customers/app.ts";
import { LostOrders } from "./api/customers/lost.ts";
import { EventFeed, MOST_LISTENERS } from "./events/feed.ts";
import { Door } from "./http/door.ts";
import { Doorkeeper } from "./http/doorkeeper.ts";
import type { Readiness } from "./http/health.ts";
import { findShortage, readOpenFilesLimit } from "./http/open-files.ts";
import { createCustomersUrl } from "./http/reach.ts";
import { Lifecycle } from "./lifecycle.ts";
import { createAddressReader } from "./limits/address.ts";
import { HeldRequests } from "./limits/held.ts";
import { Limiter } from "./limits/limiter.ts";
import { Pace } from "./limits/pace.ts";
import { Refusals } from "./limits/refusals.ts";
import type { Log } from "./log.ts";
import { startSweeper } from "./orders/sweeper.ts";
import { BaristaRoom } from "./longpoll/baristas.ts";
import { BLOCK_SECONDS } from "./longpoll/lane.ts";
import { WaitingRoom } from "./longpoll/room.ts";
import { openFormat } from "./orders/format.ts";
import { createOrders, DEFAULT_QUEUE } from "./orders/verbs.ts";
import type { RedisAddress } from "./redis/connect.ts";
import { openRedis } from "./redis/connections.ts";
import { startEmbeddedRedis } from "./redis/embedded/server.ts";
import { createCodes } from "./shop/codes.ts";
import { createMenu } from "./shop/menu.ts";
import { createShop } from "./shop/settings.ts";
import { createOrderEnds } from "./service/order-ends.ts";

/**
 * Descriptors that stay free when customers have taken all others: for baristas, and for commands, wakes and events of
 * Redis.
 */
const BARISTA_CONNECTIONS = 32;
const REDIS_CONNECTIONS = 16;

/** A server that serves both ports. */
export interface RunningServer {
  /** The customers' port, as a URL without a slash at its end. */
  readonly customers: string;
  /** The baristas' port. */
  readonly baristas: string;
  /** Swagger UI of the customers' port. */
  readonly swagger: string;
  /**
   * Lets held customers end or redirects them, then closes everything. Resolves to an error for each part that did not
   * close; called again, to the same.
   */
  stop(): Promise<readonly Error[]>;
}

export interface ServerOptions {
  readonly log: Log;
  /** Holds what was opened so far: closing it ends a server that is still starting, too. */
  readonly lifecycle?: Lifecycle;
  /** Called once a newer version has taken over the shop's data: the server is to be stopped. */
  readonly superseded?: () => void;
}

/** Starts a server. Throws a StartError, with one line that says what to do, where it can't start. */
export async function createServer(
  config: Config,
  { log, lifecycle = new Lifecycle(), superseded = () => {} }: ServerOptions,
): Promise<RunningServer> {
  let stopped: Promise<readonly Error[]> | undefined;
  const stop = (): Promise<readonly Error[]> => (stopped ??= lifecycle.close());
  try {
    const parts = await openParts(config, log, lifecycle, superseded);
    const { customerDoor, baristaDoor } = openDoors(config, log, lifecycle, parts);
    keepFilesInReserve(config, log, lifecycle, { customerDoor, baristaDoor });
    const customers = customerDoor.url;
    return { customers, baristas: baristaDoor.url, swagger: `${customers}/swagger`, stop };
  } catch (error) {
    for (const failure of await stop()) log.error({ err: failure.cause }, failure.message);
    throw error;
  }
}

type Parts = Awaited<ReturnType<typeof openParts>>;

/**
 * Opens all that is below the ports. Each part is registered as soon as it is open: a failure half-way closes it again.
 */
async function openParts(config: Config, log: Log, lifecycle: Lifecycle, superseded: () => void) {
  const redis = await openRedis({ address: await findRedis(config, log, lifecycle), ...config, log });
  lifecycle.opened("Redis connections", () => redis.close());
  await openFormat(redis, { shop: config.shop, log });
  let isSuperseded = false;
  const orders = createOrders(redis, config, {
    notifyFinal: (orderId, order) => room.deliver(orderId, order),
    superseded: (version) => {
      if (isSuperseded) return;
      isSuperseded = true;
      log.warn({ version }, "a newer version has taken over the shop's data: giving way, customers are sent on");
      superseded();
    },
  });
  lifecycle.opened("orders", () => orders.close());
  const room = new WaitingRoom(
    createOrderEnds(redis, orders, log),
    { openBlocking: () => redis.openBlocking("lane", BLOCK_SECONDS), unblock: (clientId) => redis.unblock(clientId) },
    config.lanes,
  );
  lifecycle.opened("waiting room", () => room.close());
  const sweeper = startSweeper(orders, log);
  lifecycle.opened("sweeper", () => sweeper.stop());
  const refusals = new Refusals(log);
  lifecycle.opened("refusals", () => refusals.close());
  const lostOrders = new LostOrders(log);
  lifecycle.opened("lost orders", () => lostOrders.close());
  const feed = new EventFeed(redis, config.shop);
  lifecycle.opened("event feed", () => feed.close());
  return { redis, orders, room, baristaRoom: new BaristaRoom(redis, orders), refusals, lostOrders, feed };
}

/** Opens both ports. Draining comes first when they close: baristas may finish meanwhile, which customers wait for. */
function openDoors(config: Config, log: Log, lifecycle: Lifecycle, parts: Parts) {
  const { room, baristaRoom, feed } = parts;
  let closing = false;
  const { customers, baristas } = createApps(config, log, parts, () => closing);
  const customerDoor = new Door(customers, {
    host: config.customerHost,
    port: config.customerPort,
    name: "customers",
    setting: "CUSTOMER_PORT",
  });
  lifecycle.opened("customers' socket", () => customerDoor.cut());
  const baristaDoor = new Door(baristas, {
    host: config.baristaHost,
    port: config.baristaPort,
    name: "baristas",
    setting: "BARISTA_PORT",
  });
  lifecycle.opened("baristas' port", () => baristaDoor.stop(1));
  lifecycle.opened("customers' port", async () => {
    closing = true;
    room.sendOn();
    baristaRoom.close();
    feed.close();
    await customerDoor.stop(config.drainSeconds, () => room.sendEverybodyOn());
  });
  return { customerDoor, baristaDoor };
}

/** `isClosing`: whether the server is stopping, so that nothing new begins. */
function createApps(config: Config, log: Log, parts: Parts, isClosing: () => boolean) {
  const { redis, orders, room, baristaRoom, refusals, lostOrders, feed } = parts;
  const readiness: Readiness = async () => {
    if (isClosing()) return "closing";
    return (await redis.isReady()) ? undefined : "redis_away";
  };
  const held = new HeldRequests(config, refusals);
  const shared = {
    orders,
    shop: createShop(redis, DEFAULT_QUEUE),
    menu: createMenu(redis),
    feed,
    addressOf: createAddressReader(config),
    readiness,
    isClosing,
    log,
  };

  const customers = createCustomerApp({
    ...shared,
    room,
    limiter: new Limiter(
      { policy: "order", capacity: config.limitCapacity, refillPerSecond: config.limitRefillPerSecond },
      refusals,
    ),
    lostOrders,
    held,
    passing: new HeldRequests(config, refusals),
    pace: new Pace(config.requestsPerSecond),
    refusals,
    // Some places are left for staff.
    listeners: new HeldRequests({ ...config, maxHeld: MOST_LISTENERS * 0.9 }, refusals),
    heartbeatSeconds: config.heartbeatSeconds,
    allowedOrigins: config.allowedOrigins,
    publicUrl: config.publicUrl,
  });
  const baristas = createBaristaApp({
    ...shared,
    room: baristaRoom,
    readCode: createCodes(redis),
    customersUrl: createCustomersUrl({
      publicUrl: config.publicUrl,
      customerPort: () => customers.server?.port ?? config.customerPort,
    }),
    leaseSeconds: config.leaseSeconds,
    countHeld: () => held.waiting,
    staffToken: config.staffToken,
  });
  return { customers, baristas };
}

/** Says at start whether the customers to be held fit, and watches the descriptors from now on. */
function keepFilesInReserve(
  { lanes, maxHeld }: Config,
  log: Log,
  lifecycle: Lifecycle,
  { customerDoor, baristaDoor }: { customerDoor: Door; baristaDoor: Door },
): void {
  // All connections to Redis may have to be made anew, while baristas come and go.
  const reserves = { customers: lanes + BARISTA_CONNECTIONS, baristas: REDIS_CONNECTIONS };
  const limit = readOpenFilesLimit();
  const reserved = lanes + reserves.customers + reserves.baristas;
  const shortage = limit === undefined ? undefined : findShortage({ limit, maxHeld, reserved });
  if (shortage) log.warn(shortage);
  const guarded = [
    { door: customerDoor, reserve: reserves.customers },
    { door: baristaDoor, reserve: reserves.baristas },
  ];
  const doorkeeper = new Doorkeeper(guarded, log);
  lifecycle.opened("doorkeeper", () => doorkeeper.close());
}

/** The Redis of REDIS_URL, or one of our own. */
async function findRedis({ redisUrl, dataDir }: Config, log: Log, lifecycle: Lifecycle): Promise<RedisAddress> {
  if (redisUrl) return { url: redisUrl };
  const embedded = await startEmbeddedRedis({ dataDir, log });
  lifecycle.opened("embedded Redis", () => embedded.stop());
  return { socketPath: embedded.socketPath };
}
