/**
 * Owns the baristas' port.
 *
 * **Invariants**
 * - With a staff token set, nothing answers without it but the routes that are marked open.
 * - Open are probes, the API's description and the pages' own files: they tell nothing of the shop.
 */
import type { EventFeed } from "../events/feed.ts";
import { createApp, type FindServer } from "../http/app.ts";
import { healthRoutes, type Readiness } from "../http/health.ts";
import { pageRoutes } from "../http/pages.ts";
import { swaggerRoutes } from "../http/swagger.ts";
import type { Log } from "../log.ts";
import type { Orders } from "../orders/verbs.ts";
import type { CurrentCode } from "../shop/codes.ts";
import type { Menu } from "../shop/menu.ts";
import type { Shop } from "../shop/settings.ts";
import type { BaristaRoom } from "../longpoll/baristas.ts";
import { damagedRoutes } from "./damaged.ts";
import { eventRoutes } from "./events.ts";
import { orderRoutes } from "./orders.ts";
import { queueRoutes } from "./queue.ts";
import { shopRoutes } from "./shop.ts";
import { createSiteRefusal, createTokenCheck } from "./token.ts";

export interface BaristaDependencies {
  readonly orders: Orders;
  readonly room: BaristaRoom;
  readonly feed: EventFeed;
  readonly shop: Shop;
  readonly menu: Menu;
  readonly readCode: () => Promise<CurrentCode>;
  /** Where customers reach their port, for whoever sent this request. */
  readonly customersUrl: (request: Request) => string;
  readonly leaseSeconds: number;
  /** Tells a request's address, as wrong tokens are counted. */
  readonly addressOf: (hops: { peer: string; headers: Headers }) => string;
  /** How many customers this server holds. */
  readonly countHeld: () => number;
  /** Absent: everybody who reaches the port is staff. */
  readonly staffToken: string | undefined;
  readonly readiness: Readiness;
  /** Whether the server is stopping: nothing new begins. */
  readonly isClosing: () => boolean;
  readonly log: Log;
}

export function createBaristaApp(dependencies: BaristaDependencies) {
  const { staffToken, log } = dependencies;
  const findServer: FindServer = () => app.server;
  const addressOf = (request: Request): string =>
    dependencies.addressOf({ peer: findServer()?.requestIP(request)?.address ?? "", headers: request.headers });
  const gate = staffToken === undefined ? createSiteRefusal() : createTokenCheck(staffToken, addressOf);
  const app = createApp(log, { gate });
  return app
    .use(
      swaggerRoutes({
        title: "Longpour: baristas",
        description:
          "Start the oldest order, make it, finish it: its customer gets their 200. Every path may end with a slash.",
        tags: {
          Orders: "Take an order, and say what came of it.",
          Search: "Look at orders and at the queue: nothing here changes them.",
          Events: "What happens in the shop, as it happens.",
          Shop: "The shop's settings, its menu and its code.",
          Health: "For whatever watches the server.",
        },
        authorized: staffToken !== undefined,
      }),
    )
    .use(orderRoutes(dependencies))
    .use(queueRoutes(dependencies))
    .use(damagedRoutes(dependencies))
    .use(eventRoutes(dependencies, () => app.server))
    .use(shopRoutes(dependencies))
    .use(pageRoutes({ "/": "barista", "/board": "board" }, log))
    .use(healthRoutes(dependencies.readiness));
}
