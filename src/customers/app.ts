/**
 * Owns the customers' port: everything a customer can ask for.
 *
 * **Invariants**
 * - Nothing here can start, finish or list orders.
 */
import type { EventFeed } from "../events/feed.ts";
import type { HeldRequests } from "../limits/held.ts";
import type { Limiter } from "../limits/limiter.ts";
import type { Pace } from "../limits/pace.ts";
import type { Refusals } from "../limits/refusals.ts";
import { createApp } from "../http/app.ts";
import { healthRoutes, type Readiness } from "../http/health.ts";
import { pageRoutes } from "../http/pages.ts";
import { createSharing, createSiteCheck } from "../http/sites.ts";
import { swaggerRoutes } from "../http/swagger.ts";
import type { Log } from "../log.ts";
import type { OrderJson } from "../orders/order.ts";
import type { Orders } from "../orders/verbs.ts";
import type { Menu } from "../shop/menu.ts";
import type { Shop } from "../shop/settings.ts";
import type { WaitingRoom } from "../longpoll/room.ts";
import { shareReads } from "../shared-reads.ts";
import { eventRoutes } from "./events.ts";
import { keepPace, rememberLast } from "./limited.ts";
import type { LostOrders } from "./lost.ts";
import { orderRoutes } from "./orders.ts";
import { reservationRoutes } from "./reservations.ts";
import { shopRoutes } from "./shop.ts";

export interface CustomerDependencies {
  readonly orders: Pick<Orders, "replica" | "place" | "reserve" | "complete" | "find" | "cancel">;
  readonly shop: Shop;
  readonly menu: Menu;
  readonly room: WaitingRoom<OrderJson>;
  readonly limiter: Limiter;
  readonly held: HeldRequests;
  /** Customers whose order is being placed, and who are not held. */
  readonly passing: HeldRequests;
  readonly lostOrders: LostOrders;
  /** How fast an address may send requests of any kind. */
  readonly pace: Pace;
  readonly refusals: Pick<Refusals, "count">;
  readonly feed: EventFeed;
  /** Customers who listen to events, counted apart from those who are held. */
  readonly listeners: HeldRequests;
  /** Tells a request's address, as limits count it. */
  readonly addressOf: (hops: { peer: string; headers: Headers }) => string;
  readonly readiness: Readiness;
  /** Whether the server is stopping: nothing new begins. */
  readonly isClosing: () => boolean;
  readonly heartbeatSeconds: number;
  /** Other origins whose pages may order here. */
  readonly allowedOrigins: readonly string[];
  /** PUBLIC_URL: this port's own origin, as customers see it. */
  readonly publicUrl: string | undefined;
  readonly log: Log;
}

export function createCustomerApp(dependencies: CustomerDependencies) {
  const { allowedOrigins, publicUrl } = dependencies;
  const clientOf = rememberLast((request) =>
    dependencies.addressOf({ peer: app.server?.requestIP(request)?.address ?? "", headers: request.headers }),
  );
  const { slowDown, beforeProbe } = keepPace(dependencies, clientOf);
  const own = URL.parse(publicUrl ?? "")?.origin;
  const app = createApp(dependencies.log, {
    slowDown,
    admit: createSiteCheck(new Set(own ? [own, ...allowedOrigins] : allowedOrigins)),
    sharing: allowedOrigins.length > 0 ? createSharing(new Set(allowedOrigins)) : undefined,
  });
  return app
    .use(
      swaggerRoutes({
        title: "Longpour: customers",
        description: "Order, and wait for one answer: 200, when the coffee is ready. Every path may end with a slash.",
        tags: {
          Orders: "Order and wait, come back to an order, cancel it, listen to it.",
          Shop: "What there is, and whether it is open: to be looked at before ordering.",
          Health: "For whatever watches the server.",
        },
        authorized: false,
        everywhere: ["too_many_requests"],
      }),
    )
    .use(orderRoutes(dependencies, () => app.server, clientOf))
    .use(eventRoutes(dependencies, () => app.server, clientOf))
    .use(reservationRoutes(dependencies, clientOf))
    .use(shopRoutes(dependencies))
    .use(pageRoutes({ "/": "customer" }, dependencies.log))
    .use(healthRoutes(shareReads(dependencies.readiness), beforeProbe));
}
