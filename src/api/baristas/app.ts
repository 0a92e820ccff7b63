/**
 * Owns the baristas' port.
 *
 * **Invariants**
 * - With a staff token set, nothing answers without it but the routes that are marked open.
 * - Open are probes, the API's description and the pages' own files: they show nothing of the shop.
 * - A finish link opens its own order's start, and nothing else.
 */
import { createApp } from "../../http/app.ts";
import type { Check } from "../../http/edge.ts";
import type { Guard } from "../../http/gate.ts";
import type { FindServer } from "../../http/listening.ts";
import { healthRoutes, type Readiness } from "../../http/health.ts";
import { pageRoutes } from "../../http/pages.ts";
import { swaggerRoutes } from "../../http/swagger.ts";
import type { Log } from "../../log.ts";
import type { Tally } from "../../tally.ts";
import { graphqlRoutes } from "../graphql/route.ts";
import type { BaristaSchemaDependencies } from "../graphql/schemas.ts";
import { deadRoutes, type DeadDependencies } from "./dead.ts";
import { damagedRoutes, type DamagedDependencies } from "./damaged.ts";
import { eventRoutes, type EventDependencies } from "./events.ts";
import { fulfilmentRoutes, type FulfilmentDependencies } from "./fulfilments.ts";
import { LINK_PATHS, linkRoutes, type LinkDependencies } from "./links.ts";
import { METRICS_PATH, metricsRoutes, type MetricsDependencies } from "./metrics.ts";
import { orderRoutes, type OrderDependencies } from "./orders.ts";
import { paymentRoutes, type PaymentDependencies } from "./payments.ts";
import { queueRoutes, type QueueDependencies } from "./queue.ts";
import { ruleRoutes, type RuleDependencies } from "./rules.ts";
import { searchRoutes, type SearchDependencies } from "./search.ts";
import { shopRoutes, type ShopDependencies } from "./shop.ts";
import { stateRoutes, type StateDependencies } from "./states.ts";
import { statsRoutes, type StatsDependencies } from "./stats.ts";
import { createPageRefusal, createSiteRefusal, createTokenChecks } from "./token.ts";

export type BaristaDependencies = OrderDependencies &
  LinkDependencies &
  SearchDependencies &
  QueueDependencies &
  StateDependencies &
  FulfilmentDependencies &
  PaymentDependencies &
  DamagedDependencies &
  DeadDependencies &
  EventDependencies &
  ShopDependencies &
  MetricsDependencies &
  RuleDependencies &
  StatsDependencies &
  BaristaSchemaDependencies & {
    readonly heartbeatSeconds: number;
    /** Finds a request's address, as wrong tokens are counted. */
    readonly addressOf: (hops: { peer: string; headers: Headers }) => string;
    /** Absent: all who reach the port are staff. */
    readonly staffToken: string | undefined;
    /** Whether it speaks HTTPS. */
    readonly isSecure: boolean;
    /** Whether connections without a certificate of staff are refused before. */
    readonly asksCertificates: boolean;
    /** Opens the metrics alone, where there is a staff token. */
    readonly metricsToken: string | undefined;
    readonly readiness: Readiness;
    /** Counts the requests that met a fault. */
    readonly faults: Tally;
    readonly log: Log;
  };

export function createBaristaApp(dependencies: BaristaDependencies) {
  const { staffToken, metricsToken, asksCertificates, isSecure, faults, log } = dependencies;
  const findServer: FindServer = () => app.server;
  const addressOf = (request: Request): string =>
    dependencies.addressOf({ peer: findServer()?.requestIP(request)?.address ?? "", headers: request.headers });
  const guard = createGuard({ staffToken, metricsToken, asksCertificates }, addressOf);
  const app = createApp(log, { faults, guard, isSecure });
  return app
    .use(
      swaggerRoutes({
        title: "Longpour: baristas",
        description:
          "Start the oldest order, make it, finish it: its customer gets their 200. Every path may end with a slash.",
        tags: {
          Orders: "Take an order, and say what came of it.",
          Search: "Look at orders and at the queue: nothing here changes them.",
          Fulfilment: "Orders as made or not: for those who never take one up.",
          Payments: "Money taken and given back.",
          "Dead letters": "Orders that failed, and making them again.",
          Events: "What happens in the shop, as it happens.",
          Stats: "What was placed, made, cancelled and paid, and how long it took.",
          Rules: "Which events go where, and what could not be delivered.",
          Shop: "The shop's settings, its menu and its code.",
          Metrics: "What happened, and how long it took: for Prometheus.",
          Health: "For whatever watches the server.",
        },
        authorized: staffToken !== undefined,
      }),
    )
    .use(orderRoutes(dependencies))
    .use(linkRoutes(dependencies, addressOf))
    .use(searchRoutes(dependencies))
    .use(queueRoutes(dependencies))
    .use(stateRoutes(dependencies))
    .use(fulfilmentRoutes(dependencies))
    .use(paymentRoutes(dependencies))
    .use(damagedRoutes(dependencies))
    .use(deadRoutes(dependencies))
    .use(eventRoutes(dependencies, () => app.server))
    .use(statsRoutes(dependencies))
    .use(ruleRoutes(dependencies))
    .use(shopRoutes(dependencies))
    .use(metricsRoutes(dependencies))
    .use(graphqlRoutes(() => loadGraphQL(dependencies), { findServer, addressOf }))
    .use(pageRoutes({ "/": "barista", "/board": "board", "/flow": "flow", "/orders": "orders" }, { log }))
    .use(healthRoutes(dependencies.readiness));
}

/** Without a staff token the port asks for none, for the metrics neither. */
function createGuard(
  {
    staffToken,
    metricsToken,
    asksCertificates,
  }: Pick<BaristaDependencies, "staffToken" | "metricsToken" | "asksCertificates">,
  addressOf: (request: Request) => string,
): Guard {
  // A link is a right by itself: it is checked where it is read.
  const own = new Map<string, Check>(LINK_PATHS.map((path) => [path, () => undefined]));
  if (staffToken === undefined) {
    return { check: asksCertificates ? createPageRefusal() : createSiteRefusal(), own };
  }
  const checkFor = createTokenChecks(addressOf);
  if (metricsToken !== undefined) {
    const readers = { tokens: [staffToken, metricsToken], words: "the staff token or that of METRICS_TOKEN" };
    own.set(METRICS_PATH, checkFor(readers));
  }
  return { check: checkFor({ tokens: [staffToken], words: "the staff token" }), own };
}

async function loadGraphQL(dependencies: BaristaDependencies) {
  const [{ createServe }, { createBaristaSchema }] = await Promise.all([
    import("../graphql/serve.ts"),
    import("../graphql/schemas.ts"),
  ]);
  return createServe({ ...dependencies, createSchema: (guard) => createBaristaSchema(dependencies, guard) });
}
