/**
 * Owns start-up and shutdown; the only file that touches the process, its environment and its exit.
 *
 * **Invariants**
 * - It either serves both ports, or ends with one clear line and an exit code (2: wrong settings, 1: anything else).
 */
import { createBaristaApp } from "./baristas/app.ts";
import { readConfig, type Config } from "./config.ts";
import { createCustomerApp } from "./customers/app.ts";
import { LostOrders } from "./customers/lost.ts";
import { EventFeed, MOST_LISTENERS } from "./events/feed.ts";
import { Door } from "./http/door.ts";
import { Doorkeeper } from "./http/doorkeeper.ts";
import type { Readiness } from "./http/health.ts";
import { findShortage, readOpenFilesLimit } from "./http/open-files.ts";
import { createCustomersUrl } from "./http/reach.ts";
import { Lifecycle, StartError } from "./lifecycle.ts";
import { createAddressReader } from "./limits/address.ts";
import { HeldRequests } from "./limits/held.ts";
import { Limiter } from "./limits/limiter.ts";
import { Pace } from "./limits/pace.ts";
import { Refusals } from "./limits/refusals.ts";
import { createLog, plainError, withoutSecrets, type Log } from "./log.ts";
import { startSweeper } from "./orders/sweeper.ts";
import { BaristaRoom } from "./longpoll/baristas.ts";
import { BLOCK_SECONDS } from "./longpoll/lane.ts";
import { WaitingRoom } from "./longpoll/room.ts";
import { openFormat } from "./orders/format.ts";
import { createOrders, DEFAULT_QUEUE } from "./orders/verbs.ts";
import { secretsOf } from "./redis-url.ts";
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

/**
 * Opens everything; what was opened is registered in `lifecycle` at once, so that a failure half-way closes it again.
 */
async function open(config: Config, log: Log, lifecycle: Lifecycle, stop: (reason: string) => void): Promise<void> {
  let closing = false;
  const isClosing = (): boolean => closing;

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
      stop("superseded");
    },
  });
  lifecycle.opened("orders", () => orders.close());
  const room = new WaitingRoom(
    createOrderEnds(redis, orders, log),
    { openBlocking: () => redis.openBlocking("lane", BLOCK_SECONDS), unblock: (clientId) => redis.unblock(clientId) },
    config.lanes,
  );
  lifecycle.opened("waiting room", () => room.close());
  const shop = createShop(redis, DEFAULT_QUEUE);
  const menu = createMenu(redis);
  const sweeper = startSweeper(orders, log);
  lifecycle.opened("sweeper", () => sweeper.stop());
  const refusals = new Refusals(log);
  lifecycle.opened("refusals", () => refusals.close());
  const limiter = new Limiter(
    { policy: "order", capacity: config.limitCapacity, refillPerSecond: config.limitRefillPerSecond },
    refusals,
  );
  const lostOrders = new LostOrders(log);
  lifecycle.opened("lost orders", () => lostOrders.close());
  const baristaRoom = new BaristaRoom(redis, orders);
  const feed = new EventFeed(redis, config.shop);
  lifecycle.opened("event feed", () => feed.close());
  const readiness: Readiness = async () => {
    if (closing) return "closing";
    return (await redis.isReady()) ? undefined : "redis_away";
  };

  const addressOf = createAddressReader(config);
  const held = new HeldRequests(config, refusals);

  const customers = createCustomerApp({
    orders,
    shop,
    menu,
    room,
    limiter,
    lostOrders,
    held,
    passing: new HeldRequests(config, refusals),
    pace: new Pace(config.requestsPerSecond),
    refusals,
    feed,
    // Some places are left for staff.
    listeners: new HeldRequests({ ...config, maxHeld: MOST_LISTENERS * 0.9 }, refusals),
    addressOf,
    readiness,
    isClosing,
    heartbeatSeconds: config.heartbeatSeconds,
    allowedOrigins: config.allowedOrigins,
    publicUrl: config.publicUrl,
    log,
  });
  const baristas = createBaristaApp({
    orders,
    room: baristaRoom,
    feed,
    shop,
    menu,
    readCode: createCodes(redis),
    customersUrl: createCustomersUrl({
      publicUrl: config.publicUrl,
      customerPort: () => customers.server?.port ?? config.customerPort,
    }),
    leaseSeconds: config.leaseSeconds,
    addressOf,
    countHeld: () => held.waiting,
    staffToken: config.staffToken,
    readiness,
    isClosing,
    log,
  });
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
  // Draining comes first. Baristas may finish meanwhile: that is what the customers who must stay wait for.
  lifecycle.opened("customers' port", async () => {
    closing = true;
    room.sendOn();
    baristaRoom.close();
    feed.close();
    await customerDoor.stop(config.drainSeconds, () => room.sendEverybodyOn());
  });

  keepFilesInReserve(config, log, lifecycle, { customerDoor, baristaDoor });

  const addresses = {
    customers: customerDoor.url,
    baristas: baristaDoor.url,
    swagger: `${customerDoor.url}/swagger`,
  };
  if (!config.staffToken) log.info("no STAFF_TOKEN: the baristas' port listens on this machine only");
  log.info(
    addresses,
    `open: customers ${addresses.customers}, baristas ${addresses.baristas}, Swagger UI ${addresses.swagger}`,
  );
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

async function closeAll(lifecycle: Lifecycle, log: Log): Promise<boolean> {
  const failures = await lifecycle.close();
  for (const failure of failures) log.error({ err: failure.cause }, failure.message);
  return failures.length === 0;
}

async function main(): Promise<void> {
  const lifecycle = new Lifecycle();
  const config = readConfig(process.env);
  const log = createLog({ level: config.logLevel, terminal: process.stdout.isTTY, secrets });
  const die = (error: unknown): void => {
    log.fatal({ err: error }, "unexpected error: the server ends");
    process.exit(1);
  };
  process.on("uncaughtException", die).on("unhandledRejection", die);

  let isStopping = false;
  const stop = async (reason: string): Promise<void> => {
    if (isStopping) return;
    isStopping = true;
    log.info({ reason }, "stopping");
    const closed = await closeAll(lifecycle, log);
    log.info("stopped");
    process.exit(closed ? 0 : 1);
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => void stop(signal));

  try {
    await open(config, log, lifecycle, (reason) => void stop(reason));
  } catch (error) {
    await closeAll(lifecycle, log);
    throw error;
  }
}

/** What must not stand in any output: Bun would print the source and the fields of an error beside its message. */
const secrets = [process.env.STAFF_TOKEN ?? "", ...secretsOf(process.env.REDIS_URL ?? "")];

try {
  await main();
} catch (error) {
  const isExpected = error instanceof StartError;
  const said = isExpected ? withoutSecrets(error.message, secrets) : plainError(error, secrets).stack;
  process.stderr.write(`longpour: ${said}\n`);
  process.exit(isExpected ? error.exitCode : 1);
}
