/**
 * Owns the held customer: kept alive until their order is final, their time is over, or the server stops.
 *
 * **Invariants**
 * - Until the answer begins, each outcome has its own status.
 * - Once it has begun, it ends with an order, or with where to go on.
 * - The place in the waiting room is given back when the wait is over, however it ends.
 */
import { answerJson, damagedOrder, unknownOrder } from "../http/answers.ts";
import { createHoldAlive, type HeldRequest } from "../http/hold.ts";
import type { Seat } from "../longpoll/room.ts";
import { isFinal, type OrderJson } from "../orders/order.ts";
import { within } from "../within.ts";
import type { CustomerDependencies } from "./app.ts";
import { encodeContinuation, encodeLostOrder, waitPath } from "./endings.ts";

/** A stopping server reads an order for so long: it is about to end the connection. */
const LAST_LOOK_MS = 1000;

export interface Holding {
  readonly orderId: string;
  readonly isNew: boolean;
  /** Undefined: as long as it takes. */
  readonly seconds: number | undefined;
  /** Their seat in the waiting room. */
  readonly seat: Seat<OrderJson>;
  readonly connection: HeldRequest;
  readonly headers: Record<string, string> | undefined;
  /** Answers when `seconds` are over before the order is final. */
  readonly timeOver: () => Promise<Response>;
  /** What they give back when the wait is over. */
  readonly stay: DisposableStack;
}

type Dependencies = Pick<CustomerDependencies, "orders" | "lostOrders" | "heartbeatSeconds" | "log">;

/** Makes the function that holds a customer, with signs of life. */
export function createHolding({ orders, lostOrders, heartbeatSeconds, log }: Dependencies) {
  const holdAlive = createHoldAlive({ heartbeatSeconds, log });

  const encodeLost = (orderId: string): string => {
    lostOrders.count();
    return encodeLostOrder(orderId);
  };

  /** The order as it is now and where to go on. A fault is no reason to fail: the request that goes on meets it again. */
  const encodeNow = async (orderId: string, path: string): Promise<string> => {
    const found = await within(LAST_LOOK_MS, orders.find(orderId)).catch(() => undefined);
    if (found?.kind === "unknown") return encodeLost(orderId);
    // One whose record is damaged says so with its own status, to the request that goes on.
    if (found?.kind !== "found") return encodeContinuation(orderId, path);
    return isFinal(found.status) ? found.order : encodeContinuation(orderId, path, found.order);
  };

  return ({ orderId, isNew, seconds, seat, connection, headers, timeOver, stay }: Holding): Promise<Response> => {
    const { signal } = connection.request;
    const beganMs = performance.now();
    /** Whoever asked for a bound goes on with what is left of it. */
    const pathOn = (): string => {
      const spent = (performance.now() - beganMs) / 1000;
      return waitPath(orderId, seconds === undefined ? undefined : Math.max(1, Math.ceil(seconds - spent)));
    };
    return holdAlive(connection, {
      endBegun: async ({ status }) => {
        if (signal.aborted) return "";
        return status === 404 ? encodeLost(orderId) : await encodeNow(orderId, pathOn());
      },
      answer: async (progress) => {
        // Until the end, not until the answer begins.
        using _ = stay;
        seat.stayWhile(() => progress.hasBegun);
        const outcome = await seat.outcome;
        switch (outcome.kind) {
          case "final":
            return answerJson(outcome.value, { headers });
          case "time_over":
            return await timeOver();
          case "forgotten":
            // Of a request that only asks for an order, nobody knows whether there was one.
            if (isNew && !progress.hasBegun) lostOrders.count();
            return unknownOrder();
          case "damaged":
            return damagedOrder();
          case "sent_on":
            // Another replica, or this one once it is back, holds them on.
            return new Response(null, { status: 303, headers: { Location: pathOn(), Connection: "close" } });
          case "left":
            // Nobody reads it.
            return new Response(null, { status: 499 });
        }
      },
    });
  };
}
