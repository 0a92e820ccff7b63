/** Owns the baristas' port. Always holds: with a staff token set, nothing but probes and the API's description answers without it. */
import { createApp } from "../http/app.ts";
import { healthRoutes, type Readiness } from "../http/health.ts";
import { swaggerRoutes } from "../http/swagger.ts";
import type { Log } from "../log.ts";
import type { Orders } from "../orders/verbs.ts";
import type { BaristaRoom } from "../waiting/baristas.ts";
import { orderRoutes } from "./orders.ts";
import { queueRoutes } from "./queue.ts";
import { createTokenCheck } from "./token.ts";

export interface BaristaDependencies {
  readonly orders: Orders;
  readonly room: BaristaRoom;
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
  const app = createApp(log);
  if (staffToken !== undefined) {
    const checkToken = createTokenCheck(staffToken);
    app.onRequest(({ request }) => checkToken(request));
  }
  return app
    .use(
      swaggerRoutes({
        title: "Longpour: baristas",
        description: "Start the oldest order, make it, finish it: its customer gets their 200.",
        authorized: staffToken !== undefined,
      }),
    )
    .use(orderRoutes(dependencies, () => app.server))
    .use(queueRoutes(dependencies))
    .use(healthRoutes(dependencies.readiness));
}
