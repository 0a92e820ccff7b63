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
import { EventFeed, MOST_LISTENERS } from "./events/feed.ts";
import { Door } from "./http/door.ts";
import { Doorkeeper } from "./http/doorkeeper.ts";
import { createReadiness } from "./http/health.ts";
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
import { WaitingRoom } from "./longpoll/room.ts";
import { WakeRoom } from "./longpoll/wake-room.ts";
import { openFormat } from "./orders/format.ts";
import { createOrders, DEFAULT_QUEUE } from "./orders/verbs.ts";
import type { RedisAddress } from "./redis/connect.ts";
import { openRedis } from "./redis/connections.ts";
import { startEmbeddedRedis } from "./redis/embedded/server.ts";
import { createCodes } from "./shop/codes.ts";
import { createMenu } from "./shop/menu.ts";
import { createShop } from "./shop/settings.ts";
import { Listening } from "./service/listening.ts";
import { LostOrders } from "./service/lost-orders.ts";
import { createOrderEnds } from "./service/order-ends.ts";
import { Ordering } from "./service/ordering.ts";
import { Staffing } from "./service/staffing.ts";

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
  const orders = createOrders(redis, config, (version) => {
    if (isSuperseded) return;
    isSuperseded = true;
    log.warn({ version }, "a newer version has taken over the shop's data: giving way, customers are sent on");
    superseded();
  });
  lifecycle.opened("orders", () => orders.close());
  const room = new WaitingRoom(createOrderEnds(redis, orders, log), redis, config.lanes);
  orders.onFinal(room);
  lifecycle.opened("waiting room", () => room.close());
  const sweeper = startSweeper(orders, log);
  lifecycle.opened("sweeper", () => sweeper.stop());
  const refusals = new Refusals(log);
  lifecycle.opened("refusals", () => refusals.close());
  const lostOrders = new LostOrders(log);
  lifecycle.opened("lost orders", () => lostOrders.close());
  const feed = new EventFeed(redis, config.shop);
  lifecycle.opened("event feed", () => feed.close());
  const baristaRoom = new WakeRoom(redis, redis.keys.wake);
  return { redis, orders, room, baristaRoom, refusals, lostOrders, feed };
}

/** Opens both ports. Draining comes first when they close: baristas may finish meanwhile, which customers wait for. */
function openDoors(config: Config, log: Log, lifecycle: Lifecycle, parts: Parts) {
  const { room, baristaRoom, feed } = parts;
  const closing = new AbortController();
  const services = createServices(config, parts, closing.signal);
  const customerDoor = new Door(createCustomers(config, log, parts, services), {
    host: config.customerHost,
    port: config.customerPort,
    name: "customers",
    setting: "CUSTOMER_PORT",
  });
  lifecycle.opened("customers' socket", () => customerDoor.cut());
  const baristaDoor = new Door(createBaristas(config, log, parts, { ...services, customerDoor }), {
    host: config.baristaHost,
    port: config.baristaPort,
    name: "baristas",
    setting: "BARISTA_PORT",
  });
  lifecycle.opened("baristas' port", () => baristaDoor.stop(1));
  lifecycle.opened("customers' port", async () => {
    closing.abort();
    room.sendOn();
    baristaRoom.close();
    feed.close();
    await customerDoor.stop(config.drainSeconds, () => room.sendEverybodyOn());
  });
  return { customerDoor, baristaDoor };
}

type Services = ReturnType<typeof createServices>;

/** Makes what both ports stand on. `closing`: aborted when the server stops, so that nothing new begins. */
function createServices(config: Config, parts: Parts, closing: AbortSignal) {
  const { redis, orders, room, baristaRoom, refusals, lostOrders } = parts;
  const limiter = new Limiter(
    { policy: "order", capacity: config.limitCapacity, refillPerSecond: config.limitRefillPerSecond },
    refusals,
  );
  const held = new HeldRequests(config, refusals);
  const passing = new HeldRequests(config, refusals);
  return {
    ordering: new Ordering({ orders, room, limiter, held, passing, lostOrders, closing }),
    staffing: new Staffing({ orders, room: baristaRoom, closing }),
    limiter,
    held,
    shop: createShop(redis, DEFAULT_QUEUE),
    menu: createMenu(redis),
    addressOf: createAddressReader(config),
    readiness: createReadiness(redis, closing),
  };
}

function createCustomers(config: Config, log: Log, { orders, feed, refusals }: Parts, services: Services) {
  const { ordering, limiter, shop, menu, addressOf, readiness } = services;
  // Some places are left for staff.
  const listeners = new HeldRequests({ ...config, maxHeld: MOST_LISTENERS * 0.9 }, refusals);
  return createCustomerApp({
    ordering,
    listening: new Listening({ orders, feed, listeners }),
    orders,
    limiter,
    shop,
    menu,
    addressOf,
    readiness,
    log,
    refusals,
    pace: new Pace(config.requestsPerSecond),
    heartbeatSeconds: config.heartbeatSeconds,
    allowedOrigins: config.allowedOrigins,
    publicUrl: config.publicUrl,
  });
}

function createBaristas(
  config: Config,
  log: Log,
  { redis, orders, feed }: Parts,
  services: Services & { readonly customerDoor: Door },
) {
  const { staffing, held, shop, menu, addressOf, readiness, customerDoor } = services;
  return createBaristaApp({
    staffing,
    orders,
    held,
    shop,
    menu,
    feed,
    addressOf,
    readiness,
    log,
    readCode: createCodes(redis),
    customersUrl: createCustomersUrl({ publicUrl: config.publicUrl, customerPort: () => customerDoor.port }),
    leaseSeconds: config.leaseSeconds,
    staffToken: config.staffToken,
  });
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
