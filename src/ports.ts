/**
 * Owns both ports of a server, and the services that they and the machines stand on.
 *
 * **Invariants**
 * - Draining comes first when they close: baristas may finish meanwhile, which customers wait for.
 * - Machines go on while that takes, and up to the drain's end.
 */
import { createCallbackCheck } from "./api/callbacks.ts";
import { createBaristaApp } from "./api/baristas/app.ts";
import { createCustomerApp } from "./api/customers/app.ts";
import { MAX_LISTENERS } from "./events/feed.ts";
import { DescriptorReserve } from "./http/descriptor-reserve.ts";
import { createReadiness } from "./http/health.ts";
import { findShortage, readOpenFilesLimit } from "./http/open-files.ts";
import type { PortTls } from "./http/app.ts";
import { PortSocket } from "./http/port-socket.ts";
import { createPublicUrl, createStaffUrl } from "./http/public-url.ts";
import { createTraceparentReader } from "./http/traceparent.ts";
import { createAddressReader } from "./limits/address.ts";
import { Limiter } from "./limits/limiter.ts";
import { Pace } from "./limits/pace.ts";
import { WaitLimit } from "./limits/wait-limit.ts";
import { Machines } from "./machines/machines.ts";
import { createScrape } from "./metrics/metrics.ts";
import type { Ground, Parts } from "./parts.ts";
import { createCallQueues, type QueueDeclaration } from "./service/call-queue.ts";
import { Paying } from "./payments/paying.ts";
import { FinishLinks } from "./service/finish-links.ts";
import { Fulfilling } from "./service/fulfilling.ts";
import { Listening } from "./service/listening.ts";
import { MAX_SENDING } from "./rules/tenure.ts";
import { Ordering } from "./service/ordering.ts";
import { Retrying } from "./service/retrying.ts";
import { Staffing } from "./service/staffing.ts";
import { createCodes } from "./shop/codes.ts";
import { createMenu } from "./shop/menu.ts";
import { createReadStats } from "./stats/stats.ts";
import type { Certificates, Https } from "./tls/certificates.ts";
import { Renewal } from "./tls/renewal.ts";
import { Tally } from "./tally.ts";
import { WORK_QUEUE } from "./work/input.ts";
import { WorkService } from "./work/service.ts";

/**
 * Descriptors that stay free when customers have taken all others: for baristas, and for commands, wakes and events of
 * Redis.
 */
const BARISTA_CONNECTIONS = 32;
const REDIS_CONNECTIONS = 16;
/** One to Redis, and those to its target. */
const RULE_CONNECTIONS = 1 + MAX_SENDING;

export interface Ports {
  readonly customerSocket: PortSocket;
  readonly baristaSocket: PortSocket;
  /** Not yet at work. */
  readonly machines: Machines;
}

interface Opening {
  /** Those of machines. */
  readonly queues: readonly QueueDeclaration[];
  /** Absent: the ports speak plain HTTP. */
  readonly https: Https | undefined;
}

/** Opens both ports. */
export function openPorts(ground: Ground, parts: Parts, { queues, https }: Opening): Ports {
  const { config, log, lifecycle } = ground;
  const { room, baristaRoom, feed } = parts;
  const closing = new AbortController();
  let renewal: Renewal | undefined;
  const certificateEndsMs = (): number | undefined => renewal?.notAfterMs ?? https?.certificates.notAfterMs;
  const services = createServices(ground, parts, { queues, certificateEndsMs, closing: closing.signal });
  const machines = new Machines({
    orders: parts.orders,
    staffing: services.staffing,
    leaseSecondsOf: services.leaseSecondsOf,
    drainSeconds: config.drainSeconds,
    closing: closing.signal,
    tracing: parts.tracing,
    log,
  });
  lifecycle.opened("machines", () => machines.stop());
  const customerSocket = new PortSocket(createCustomers(ground, parts, services), {
    host: config.customerHost,
    port: config.customerPort,
    name: "customers",
    setting: "CUSTOMER_PORT",
    tls: https && customersTls(https.certificates),
  });
  lifecycle.opened("customers' socket", () => customerSocket.cut());
  const baristaSocket = new PortSocket(createBaristas(ground, parts, { ...services, customerSocket }), {
    host: config.baristaHost,
    port: config.baristaPort,
    name: "baristas",
    setting: "BARISTA_PORT",
    tls: https && baristasTls(https.certificates),
  });
  lifecycle.opened("baristas' port", () => baristaSocket.stop(1));
  lifecycle.opened("customers' port", async () => {
    closing.abort();
    room.redirect();
    baristaRoom.close();
    feed.close();
    await customerSocket.stop(config.drainSeconds, () => room.redirectAll());
  });
  const rules = parts.deliveringRules.counted.length;
  keepFilesInReserve(ground, { customers: customerSocket, baristas: baristaSocket, rules });
  if (https) renewal = takeUpRenewals(ground, https, { customerSocket, baristaSocket });
  return { customerSocket, baristaSocket, machines };
}

interface ServiceInputs {
  readonly queues: readonly QueueDeclaration[];
  /** Undefined where the ports speak plain HTTP. */
  readonly certificateEndsMs: () => number | undefined;
  /** Aborted when the server stops, so that nothing new begins. */
  readonly closing: AbortSignal;
}

type Services = ReturnType<typeof createServices>;

/** Makes what both ports stand on. */
function createServices({ config, log }: Ground, parts: Parts, { queues, certificateEndsMs, closing }: ServiceInputs) {
  const { redis, orders, shop, room, baristaRoom, refusals, rejectionLog, lostOrders, feed, cards, tracing } = parts;
  const limiter = new Limiter(
    { policy: "order", capacity: config.limitCapacity, refillPerSecond: config.limitRefillPerSecond },
    rejectionLog,
  );
  const waitLimit = new WaitLimit(config, rejectionLog);
  const passingLimit = new WaitLimit(config, rejectionLog);
  // Some subscriptions are left for staff.
  const listenerLimit = new WaitLimit({ ...config, maxHeld: MAX_LISTENERS * 0.9 }, rejectionLog);
  const callQueues = createCallQueues(queues, rejectionLog);
  const staffing = new Staffing({ orders, room: baristaRoom, closing });
  const faults = new Tally();
  return {
    ordering: new Ordering({ orders, room, limiter, waitLimit, passingLimit, lostOrders, refusals, closing, tracing }),
    staffing,
    fulfilling: new Fulfilling({ orders, staffing }),
    listening: new Listening({ orders, payments: orders.payments, feed, listenerLimit }),
    retrying: new Retrying(orders),
    callQueues,
    leaseSecondsOf: (queue: string) => callQueues.get(queue)?.rules.leaseSeconds ?? config.leaseSeconds,
    limiter,
    waitLimit,
    shop,
    payments: orders.payments,
    paying: new Paying({ payments: orders.payments, cards, log }),
    menu: createMenu(redis),
    tracing,
    readTraceparent: createTraceparentReader(tracing !== undefined),
    addressOf: createAddressReader(config),
    checkCallback: createCallbackCheck(config),
    readiness: createReadiness(redis, closing),
    faults,
    scrape: createScrape({
      redis,
      flow: orders.flow,
      refusals,
      faults,
      room,
      waitLimit,
      certificateEndsMs,
      queues: [...callQueues.keys()],
      rules: parts.deliveringRules,
      log,
    }),
  };
}

function createCustomers({ config, log }: Ground, { orders, rejectionLog }: Parts, services: Services) {
  const { ordering, listening, callQueues, limiter, shop, payments, paying, menu, addressOf, readiness } = services;
  const { tracing, readTraceparent, checkCallback } = services;
  const workQueue = config.work ? callQueues.get(WORK_QUEUE) : undefined;
  return createCustomerApp({
    ordering,
    listening,
    orders,
    callQueues,
    checkCallback,
    work: workQueue && new WorkService({ queue: workQueue, ordering, orders }),
    limiter,
    shop,
    payments,
    paying,
    menu,
    tracing,
    readTraceparent,
    addressOf,
    readiness,
    faults: services.faults,
    log,
    rejectionLog,
    pace: new Pace(config.requestsPerSecond),
    heartbeatSeconds: config.heartbeatSeconds,
    allowedOrigins: config.allowedOrigins,
    publicUrl: config.publicUrl,
    isSecure: config.tlsCert !== undefined,
  });
}

function createBaristas(
  { config, log }: Ground,
  { redis, orders, feed, statsCounter, deliveringRules: rules }: Parts,
  services: Services & { readonly customerSocket: PortSocket },
) {
  const { staffing, fulfilling, ordering, listening, limiter, retrying, waitLimit, shop, payments, paying, menu } =
    services;
  const { leaseSecondsOf, addressOf, checkCallback, readiness, scrape, customerSocket, readTraceparent } = services;
  return createBaristaApp({
    staffing,
    fulfilling,
    ordering,
    listening,
    limiter,
    retrying,
    orders,
    waitLimit,
    shop,
    payments,
    paying,
    takesCards: paying.provider !== undefined,
    menu,
    feed,
    rules,
    scrape,
    readTraceparent,
    addressOf,
    checkCallback,
    readiness,
    faults: services.faults,
    log,
    readCode: createCodes(redis),
    readStats: createReadStats(redis.run, statsCounter.countAll),
    publicUrlFor: createPublicUrl({
      publicUrl: config.publicUrl,
      customerPort: () => customerSocket.port,
      isSecure: config.tlsCert !== undefined,
    }),
    links: new FinishLinks(redis.run),
    staffUrlFor: createStaffUrl(config.publicStaffUrl),
    leaseSeconds: config.leaseSeconds,
    leaseSecondsOf,
    heartbeatSeconds: config.heartbeatSeconds,
    staffToken: config.staffToken,
    isSecure: config.tlsCert !== undefined,
    asksCertificates: config.staffTlsCa !== undefined,
    metricsToken: config.metricsToken,
  });
}

function customersTls({ cert, key }: Certificates): PortTls {
  return { cert, key };
}

function baristasTls({ cert, key, staffCa }: Certificates): PortTls {
  return { cert, key, clientCa: staffCa };
}

/** Has both ports show renewed certificates from then on. */
function takeUpRenewals(
  { log, lifecycle }: Ground,
  { files, ...inForce }: Https,
  { customerSocket, baristaSocket }: Pick<Ports, "customerSocket" | "baristaSocket">,
): Renewal {
  const ports = [
    { renew: (all: Certificates) => customerSocket.renew(customersTls(all)), resume: () => customerSocket.resume() },
    { renew: (all: Certificates) => baristaSocket.renew(baristasTls(all)), resume: () => baristaSocket.resume() },
  ];
  const renewal = new Renewal({ files, inForce, ports, log });
  lifecycle.opened("renewal of certificates", () => renewal.close());
  return renewal;
}

/** Says at start whether the customers to be held fit, and watches the descriptors from now on. */
function keepFilesInReserve(
  { config, log, lifecycle }: Ground,
  { customers, baristas, rules }: { customers: PortSocket; baristas: PortSocket; rules: number },
): void {
  const { lanes, maxHeld } = config;
  // All connections to Redis may have to be made anew, while baristas come and go.
  const reserves = { customers: lanes + BARISTA_CONNECTIONS, baristas: REDIS_CONNECTIONS + rules * RULE_CONNECTIONS };
  const limit = readOpenFilesLimit();
  const reserved = lanes + reserves.customers + reserves.baristas;
  const shortage = limit === undefined ? undefined : findShortage({ limit, maxHeld, reserved });
  if (shortage) log.warn(shortage);
  const guarded = [
    { socket: customers, reserve: reserves.customers },
    { socket: baristas, reserve: reserves.baristas },
  ];
  const reserve = new DescriptorReserve(guarded, log);
  lifecycle.opened("descriptor reserve", () => reserve.close());
}
