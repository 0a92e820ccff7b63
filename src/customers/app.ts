/** Owns the customers' port: everything a customer can ask for. Always holds: nothing here can start, finish or list orders. */
import type { HeldRequests } from "../limits/held.ts";
import type { Limiter } from "../limits/limiter.ts";
import { createApp } from "../http/app.ts";
import { healthRoutes, type Readiness } from "../http/health.ts";
import { swaggerRoutes } from "../http/swagger.ts";
import type { Log } from "../log.ts";
import type { Orders } from "../orders/verbs.ts";
import type { WaitingRoom } from "../waiting/room.ts";
import { orderRoutes } from "./orders.ts";

export interface CustomerDependencies {
  readonly orders: Pick<Orders, "place" | "find" | "cancel">;
  readonly room: WaitingRoom;
  readonly limiter: Limiter;
  readonly held: HeldRequests;
  /** Tells a request's address, as limits count it. */
  readonly addressOf: (hops: { peer: string; headers: Headers }) => string;
  readonly readiness: Readiness;
  /** Whether the server is stopping: nothing new begins. */
  readonly isClosing: () => boolean;
  readonly heartbeatSeconds: number;
  readonly log: Log;
}

export function createCustomerApp(dependencies: CustomerDependencies) {
  const app = createApp(dependencies.log);
  return app
    .use(
      swaggerRoutes({
        title: "Longpour: customers",
        description: "Order, and wait for one answer: 200, when the coffee is ready.",
        authorized: false,
      }),
    )
    .use(orderRoutes(dependencies, () => app.server))
    .use(healthRoutes(dependencies.readiness));
}
