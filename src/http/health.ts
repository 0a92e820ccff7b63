/**
 * Owns the probes.
 *
 * **Invariants**
 * - `/livez` needs nothing but the process.
 * - `/readyz` needs Redis, and turns 503 before the server stops.
 */
import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { problem } from "../problem.ts";
import type { ShopRedis } from "../redis/connections.ts";
import { documented, HEALTH_TAG } from "./documented.ts";

/** Why the server is not ready; undefined when it is. */
export type Readiness = () => Promise<"redis_away" | "closing" | undefined>;

/** Makes the reading of readiness. `closing`: aborted when the server stops. */
export function createReadiness(redis: Pick<ShopRedis, "isReady">, closing: AbortSignal): Readiness {
  return async () => {
    if (closing.aborted) return "closing";
    return (await redis.isReady()) ? undefined : "redis_away";
  };
}

const NOT_READY = {
  redis_away: {
    detail: "Redis does not answer, or takes no orders now.",
    headers: { "Retry-After": "5" },
  },
  closing: { detail: "The server is stopping: ask another one.", headers: { "Retry-After": "1" } },
} as const;

const Live = Type.Object({ status: Type.Literal("live") }, { $id: "Liveness" });
const Ready = Type.Object({ status: Type.Literal("ready") }, { $id: "Readiness" });

/** Waits before an answer, where the address asks too fast. */
export type BeforeProbe = (request: Request) => Promise<void> | undefined;

export function healthRoutes(readiness: Readiness, beforeProbe: BeforeProbe = () => undefined) {
  return new Elysia()
    .get(
      "/livez",
      async ({ request }) => {
        await beforeProbe(request);
        return Response.json({ status: "live" });
      },
      documented({
        tag: HEALTH_TAG,
        isOpen: true,
        operationId: "checkLiveness",
        summary: "Does the process live?",
        answers: { 200: { description: "It does.", schema: Live, example: { status: "live" } } },
      }),
    )
    .get(
      "/readyz",
      async ({ request }) => {
        await beforeProbe(request);
        const reason = await readiness();
        return reason ? problem(reason, NOT_READY[reason]) : Response.json({ status: "ready" });
      },
      documented({
        tag: HEALTH_TAG,
        isOpen: true,
        operationId: "checkReadiness",
        summary: "Can it take requests?",
        answers: {
          200: {
            description: "Redis answers and takes orders, and the server is not stopping.",
            schema: Ready,
            example: { status: "ready" },
          },
        },
        problems: ["redis_away", "closing"],
      }),
    );
}
