/**
 * Owns the customers' port: everything a customer can ask for.
 *
 * **Invariants**
 * - Nothing here can start, finish or list orders.
 */
import { createApp } from "../../http/app.ts";
import { healthRoutes, type Readiness } from "../../http/health.ts";
import { pageRoutes, type Elsewhere } from "../../http/pages.ts";
import { createSharing, createSiteCheck } from "../../http/sites.ts";
import { swaggerRoutes } from "../../http/swagger.ts";
import type { Log } from "../../log.ts";
import type { Paying } from "../../payments/paying.ts";
import { shareReads } from "../../shared-reads.ts";
import type { Tally } from "../../tally.ts";
import { graphqlRoutes } from "../graphql/route.ts";
import { addressRoutes } from "./address.ts";
import { eventRoutes, type EventDependencies } from "./events.ts";
import { orderRoutes, type OrderDependencies } from "./orders.ts";
import { createOrderSurroundings } from "./placing.ts";
import { queueRoutes, type QueueDependencies } from "./queues.ts";
import { keepPace, rememberLast, type PaceDependencies } from "./request-pace.ts";
import { paymentRoutes, type PaymentDependencies } from "./payments.ts";
import { reservationRoutes, type ReservationDependencies } from "./reservations.ts";
import { shopRoutes, type ShopDependencies } from "./shop.ts";
import { WORK_TAG } from "./work-descriptions.ts";
import { workRoutes, type WorkDependencies } from "./work.ts";

export type CustomerDependencies = OrderDependencies &
  QueueDependencies &
  EventDependencies &
  ReservationDependencies &
  PaymentDependencies &
  ShopDependencies &
  WorkDependencies &
  PaceDependencies & {
    /** Finds a request's address, as limits count it. */
    readonly addressOf: (hops: { peer: string; headers: Headers }) => string;
    readonly readiness: Readiness;
    /** Counts the requests that met a fault. */
    readonly faults: Tally;
    /** Other origins whose pages may order here. */
    readonly allowedOrigins: readonly string[];
    /** PUBLIC_URL: this port's own origin, as customers see it. */
    readonly publicUrl: string | undefined;
    /** Whether it speaks HTTPS. */
    readonly isSecure: boolean;
    readonly log: Log;
  };

export function createCustomerApp(dependencies: CustomerDependencies) {
  const { allowedOrigins, publicUrl } = dependencies;
  const clientOf = rememberLast((request) =>
    dependencies.addressOf({ peer: app.server?.requestIP(request)?.address ?? "", headers: request.headers }),
  );
  const { slowDown, beforeProbe } = keepPace(dependencies, clientOf);
  const own = URL.parse(publicUrl ?? "")?.origin;
  const app = createApp(dependencies.log, {
    faults: dependencies.faults,
    slowDown,
    admit: createSiteCheck(new Set(own ? [own, ...allowedOrigins] : allowedOrigins)),
    sharing: allowedOrigins.length > 0 ? createSharing(new Set(allowedOrigins)) : undefined,
    isSecure: dependencies.isSecure,
  });
  const surroundings = createOrderSurroundings(dependencies, () => app.server, clientOf);
  return app
    .use(
      swaggerRoutes({
        title: "Longpour: customers",
        description: "Order, and wait for one answer: 200, when the coffee is ready. Every path may end with a slash.",
        tags: {
          Orders: "Order and wait, come back to an order, cancel it, listen to it.",
          Machines: "Have code make something of any JSON, and wait for its result.",
          ...(dependencies.work ? { [WORK_TAG]: "Demand work, and look at its rows." } : undefined),
          Payments: "Pay for an order, where the shop wants that.",
          Shop: "What there is, and whether it is open: to be looked at before ordering.",
          Health: "For whatever watches the server.",
        },
        authorized: false,
        everywhere: ["too_many_requests"],
      }),
    )
    .use(orderRoutes(dependencies, surroundings))
    .use(queueRoutes(dependencies, surroundings))
    .use(eventRoutes(dependencies, () => app.server, clientOf))
    .use(reservationRoutes(dependencies, clientOf))
    .use(paymentRoutes(dependencies))
    .use(shopRoutes(dependencies))
    .use(workRoutes(dependencies, clientOf))
    .use(graphqlRoutes(() => loadGraphQL(dependencies), { findServer: () => app.server, addressOf: clientOf }))
    .use(addressRoutes(dependencies, () => app.server))
    .use(
      pageRoutes({ "/": "customer" }, { log: dependencies.log, elsewhere: elsewhereFor(dependencies.paying.provider) }),
    )
    .use(healthRoutes(shareReads(dependencies.readiness), beforeProbe));
}

/** Where cards are given to Stripe in its own form: what that form needs, and nothing more. */
function elsewhereFor(provider: Paying["provider"]): Elsewhere | undefined {
  if (provider?.name !== "stripe" || provider.publishableKey === null) return undefined;
  const form = ["https://js.stripe.com"];
  return { scripts: form, frames: form, servers: ["https://api.stripe.com"] };
}

async function loadGraphQL(dependencies: CustomerDependencies) {
  const [{ createServe }, { createCustomerSchema }] = await Promise.all([
    import("../graphql/serve.ts"),
    import("../graphql/schemas.ts"),
  ]);
  return createServe({ ...dependencies, createSchema: (guard) => createCustomerSchema(dependencies, guard) });
}
