/**
 * Owns how staff have dead orders made again: one, or those of a queue or a reason.
 *
 * **Invariants**
 * - At most MAX_RETRIED a request, in one run.
 * - What is asked for again and again comes to an end, though other orders die meanwhile.
 */
import type { CancelReason, OrderJson } from "../orders/order.ts";
import type { RetryOutcome } from "../orders/operations/retry.ts";
import type { Orders } from "../orders/orders.ts";
import { orderIdIn } from "../redis/order-id.ts";

export const MAX_RETRIED = 100;

interface RetryAll {
  readonly queue?: string | undefined;
  readonly reason?: CancelReason | undefined;
  readonly limit: number;
  /** Who has them made again. */
  readonly retriedBy?: string | undefined;
  /** Of the request, where something is traced. */
  readonly traceparent?: string | undefined;
}

/** `isMore`: whether others match. */
interface Retried {
  readonly retried: readonly OrderJson[];
  readonly isMore: boolean;
}

export class Retrying {
  readonly #orders: Pick<Orders, "dead" | "retry">;

  constructor(orders: Pick<Orders, "dead" | "retry">) {
    this.#orders = orders;
  }

  retry(orderId: string, retriedBy: string | undefined, traceparent?: string): Promise<RetryOutcome> {
    return this.#orders.retry({ orderId, newId: Bun.randomUUIDv7(), retriedBy, traceparent });
  }

  async retryAll({ retriedBy, traceparent, ...filter }: RetryAll): Promise<Retried> {
    const { ids, isMore } = await this.#findDead(filter);
    const outcomes = await Promise.all(ids.map((orderId) => this.retry(orderId, retriedBy, traceparent)));
    // (One that was forgotten or made again meanwhile is left out.)
    const retried = outcomes.flatMap((outcome) => (outcome.kind === "retried" ? [outcome.order] : []));
    return { retried, isMore };
  }

  /** The newest ones that match. A page may be empty and not be the last one: the list is bounded, and so are they. */
  async #findDead({ queue, reason, limit }: Omit<RetryAll, "retriedBy" | "traceparent">) {
    const ids: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.#orders.dead({ queue, reason, cursor, limit: limit - ids.length });
      if (page.kind !== "page") return { ids, isMore: true };
      ids.push(...page.orders.map(orderIdIn));
      ({ cursor } = page);
    } while (cursor !== undefined && ids.length < limit);
    return { ids, isMore: cursor !== undefined };
  }
}
