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
import { EventFeed, MAX_LISTENERS } from "./events/feed.ts";
import { PortSocket } from "./http/port-socket.ts";
import { DescriptorReserve } from "./http/descriptor-reserve.ts";
import { createReadiness } from "./http/health.ts";
import { findShortage, readOpenFilesLimit } from "./http/open-files.ts";
import { createPublicUrl } from "./http/public-url.ts";
import { Lifecycle } from "./lifecycle.ts";
import { createAddressReader } from "./limits/address.ts";
import { WaitLimit } from "./limits/wait-limit.ts";
import { Limiter } from "./limits/limiter.ts";
import { Pace } from "./limits/pace.ts";
import { RejectionLog } from "./limits/rejection-log.ts";
import type { Log } from "./log.ts";
import { declareMachineQueues } from "./machines/declare.ts";
import { gatherMachines } from "./machines/load.ts";
import type { Machine } from "./machines/machine.ts";
import { Machines } from "./machines/machines.ts";
import { startSweeper } from "./orders/sweeper.ts";
import { WaitingRoom } from "./longpoll/room.ts";
import { WakeRoom } from "./longpoll/wake-room.ts";
import { openFormat } from "./orders/format.ts";
import { createOrders, DEFAULT_QUEUE } from "./orders/orders.ts";
import { declareQueues } from "./orders/queues.ts";
import type { RedisAddress } from "./redis/connect.ts";
import { openRedis } from "./redis/connections.ts";
import { startEmbeddedRedis } from "./redis/embedded/server.ts";
import { createCodes } from "./shop/codes.ts";
import { createMenu } from "./shop/menu.ts";
import { createShop } from "./shop/settings.ts";
import { createCallQueues, type QueueDeclaration } from "./service/call-queue.ts";
import { Listening } from "./service/listening.ts";
import { LostOrders } from "./service/lost-orders.ts";
import { createOrderEnds } from "./service/order-ends.ts";
import { Ordering } from "./service/ordering.ts";
import { Retrying } from "./service/retrying.ts";
import { Staffing } from "./service/staffing.ts";
import { Demands } from "./work/demands.ts";
import { WORK_QUEUE } from "./work/input.ts";
import { defineWorkMachine } from "./work/machine.ts";
import { withWorkCodes, Work } from "./work/work.ts";

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
  /** Those that run in this server, beside those of the setting MACHINES. */
  readonly machines?: readonly Machine[] | undefined;
  /** Holds what was opened so far: closing it ends a server that is still starting, too. */
  readonly lifecycle?: Lifecycle;
  /** Called once a newer version has taken over the shop's data: the server is to be stopped. */
  readonly superseded?: () => void;
}

/** Starts a server. Throws a StartError, with one line that says what to do, where it can't start. */
export async function createServer(
  config: Config,
  { log, machines: given = [], lifecycle = new Lifecycle(), superseded = () => {} }: ServerOptions,
): Promise<RunningServer> {
  let stopped: Promise<readonly Error[]> | undefined;
  const stop = (): Promise<readonly Error[]> => (stopped ??= lifecycle.close());
  try {
    const defined = await gatherMachines(config.machines, config.work ? [defineWorkMachine(config), ...given] : given);
    const declared = declareMachineQueues(defined, config);
    const queues = config.work ? declared.map(withWorkCodes) : declared;
    const parts = await openParts(config, log, lifecycle, { queues, superseded });
    const { customerSocket, baristaSocket, machines } = openPorts(config, log, lifecycle, parts);
    keepFilesInReserve(config, log, lifecycle, { customerSocket, baristaSocket });
    machines.start(defined);
    if (config.work) takeDemands(parts, log, lifecycle);
    const customers = customerSocket.url;
    return { customers, baristas: baristaSocket.url, swagger: `${customers}/swagger`, stop };
  } catch (error) {
    for (const failure of await stop()) log.error({ err: failure.cause }, failure.message);
    throw error;
  }
}

interface Opening {
  /** The queues of machines. */
  readonly queues: readonly QueueDeclaration[];
  readonly superseded: () => void;
}

type Parts = Awaited<ReturnType<typeof openParts>>;

/**
 * Opens all that is below the ports. Each part is registered as soon as it is open: a failure half-way closes it again.
 */
async function openParts(config: Config, log: Log, lifecycle: Lifecycle, { queues, superseded }: Opening) {
  const redis = await openRedis({ address: await findRedis(config, log, lifecycle), ...config, log });
  lifecycle.opened("Redis connections", () => redis.close());
  await openFormat(redis, { shop: config.shop, log });
  const declared = queues.map(({ rules }) => rules);
  await declareQueues(redis.run, declared, log);
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
  const rejectionLog = new RejectionLog(log);
  lifecycle.opened("rejection log", () => rejectionLog.close());
  const lostOrders = new LostOrders(log);
  lifecycle.opened("lost orders", () => lostOrders.close());
  const feed = new EventFeed(redis, config.shop);
  lifecycle.opened("event feed", () => feed.close());
  const baristaRoom = new WakeRoom(redis, redis.keys.wake);
  return { redis, orders, room, baristaRoom, rejectionLog, lostOrders, feed, queues };
}

/**
 * Opens both ports. Draining comes first when they close: baristas may finish meanwhile, which customers wait for.
 * Machines, which begin later, go on while that takes, and up to the drain's end.
 */
function openPorts(config: Config, log: Log, lifecycle: Lifecycle, parts: Parts) {
  const { room, baristaRoom, feed } = parts;
  const closing = new AbortController();
  const services = createServices(config, parts, closing.signal);
  const machines = new Machines({
    orders: parts.orders,
    staffing: services.staffing,
    leaseSecondsOf: services.leaseSecondsOf,
    drainSeconds: config.drainSeconds,
    closing: closing.signal,
    log,
  });
  lifecycle.opened("machines", () => machines.stop());
  const customerSocket = new PortSocket(createCustomers(config, log, parts, services), {
    host: config.customerHost,
    port: config.customerPort,
    name: "customers",
    setting: "CUSTOMER_PORT",
  });
  lifecycle.opened("customers' socket", () => customerSocket.cut());
  const baristaSocket = new PortSocket(createBaristas(config, log, parts, { ...services, customerSocket }), {
    host: config.baristaHost,
    port: config.baristaPort,
    name: "baristas",
    setting: "BARISTA_PORT",
  });
  lifecycle.opened("baristas' port", () => baristaSocket.stop(1));
  lifecycle.opened("customers' port", async () => {
    closing.abort();
    room.redirect();
    baristaRoom.close();
    feed.close();
    await customerSocket.stop(config.drainSeconds, () => room.redirectAll());
  });
  return { customerSocket, baristaSocket, machines };
}

/** Begins to take what other programs demand of the work service. */
function takeDemands({ redis, orders }: Parts, log: Log, lifecycle: Lifecycle): void {
  const demands = new Demands({ redis, orders, log });
  lifecycle.opened("demands", () => demands.close());
}

type Services = ReturnType<typeof createServices>;

/** Makes what both ports stand on. `closing`: aborted when the server stops, so that nothing new begins. */
function createServices(config: Config, parts: Parts, closing: AbortSignal) {
  const { redis, orders, room, baristaRoom, rejectionLog, lostOrders, queues } = parts;
  const limiter = new Limiter(
    { policy: "order", capacity: config.limitCapacity, refillPerSecond: config.limitRefillPerSecond },
    rejectionLog,
  );
  const waitLimit = new WaitLimit(config, rejectionLog);
  const passingLimit = new WaitLimit(config, rejectionLog);
  const callQueues = createCallQueues(queues, rejectionLog);
  return {
    ordering: new Ordering({ orders, room, limiter, waitLimit, passingLimit, lostOrders, closing }),
    staffing: new Staffing({ orders, room: baristaRoom, closing }),
    retrying: new Retrying(orders),
    callQueues,
    leaseSecondsOf: (queue: string) => callQueues.get(queue)?.rules.leaseSeconds ?? config.leaseSeconds,
    limiter,
    waitLimit,
    shop: createShop(redis, DEFAULT_QUEUE),
    menu: createMenu(redis),
    addressOf: createAddressReader(config),
    readiness: createReadiness(redis, closing),
  };
}

function createCustomers(config: Config, log: Log, { orders, feed, rejectionLog }: Parts, services: Services) {
  const { ordering, callQueues, limiter, shop, menu, addressOf, readiness } = services;
  const workQueue = config.work ? callQueues.get(WORK_QUEUE) : undefined;
  // Some subscriptions are left for staff.
  const listenerLimit = new WaitLimit({ ...config, maxHeld: MAX_LISTENERS * 0.9 }, rejectionLog);
  return createCustomerApp({
    ordering,
    listening: new Listening({ orders, feed, listenerLimit }),
    orders,
    callQueues,
    work: workQueue && new Work({ queue: workQueue, ordering, orders }),
    limiter,
    shop,
    menu,
    addressOf,
    readiness,
    log,
    rejectionLog,
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
  services: Services & { readonly customerSocket: PortSocket },
) {
  const { staffing, retrying, leaseSecondsOf, waitLimit, shop, menu, addressOf, readiness, customerSocket } = services;
  return createBaristaApp({
    staffing,
    retrying,
    orders,
    waitLimit,
    shop,
    menu,
    feed,
    addressOf,
    readiness,
    log,
    readCode: createCodes(redis),
    publicUrlFor: createPublicUrl({ publicUrl: config.publicUrl, customerPort: () => customerSocket.port }),
    leaseSeconds: config.leaseSeconds,
    leaseSecondsOf,
    staffToken: config.staffToken,
  });
}

/** Says at start whether the customers to be held fit, and watches the descriptors from now on. */
function keepFilesInReserve(
  { lanes, maxHeld }: Config,
  log: Log,
  lifecycle: Lifecycle,
  { customerSocket, baristaSocket }: { customerSocket: PortSocket; baristaSocket: PortSocket },
): void {
  // All connections to Redis may have to be made anew, while baristas come and go.
  const reserves = { customers: lanes + BARISTA_CONNECTIONS, baristas: REDIS_CONNECTIONS };
  const limit = readOpenFilesLimit();
  const reserved = lanes + reserves.customers + reserves.baristas;
  const shortage = limit === undefined ? undefined : findShortage({ limit, maxHeld, reserved });
  if (shortage) log.warn(shortage);
  const guarded = [
    { socket: customerSocket, reserve: reserves.customers },
    { socket: baristaSocket, reserve: reserves.baristas },
  ];
  const reserve = new DescriptorReserve(guarded, log);
  lifecycle.opened("descriptor reserve", () => reserve.close());
}

/** The Redis of REDIS_URL, or one of our own. */
async function findRedis({ redisUrl, dataDir }: Config, log: Log, lifecycle: Lifecycle): Promise<RedisAddress> {
  if (redisUrl) return { url: redisUrl };
  const embedded = await startEmbeddedRedis({ dataDir, log });
  lifecycle.opened("embedded Redis", () => embedded.stop());
  return { socketPath: embedded.socketPath };
}
