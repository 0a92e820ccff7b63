/**
 * Owns how staff say that an order was made, or will not be, who never took it up.
 *
 * **Invariants**
 * - An order is completed by start and finish, and rejected by cancel: its events say so.
 * - A brewing order is its barista's: another name is refused, and no name means any.
 */
import type { Change, ChangeOutcome } from "../orders/outcomes.ts";
import { DEFAULT_QUEUE, type Orders } from "../orders/orders.ts";
import { ANONYMOUS, type Staffing } from "./staffing.ts";

interface FulfillingParts {
  readonly orders: Pick<Orders, "start" | "finish">;
  readonly staffing: Pick<Staffing, "cancel">;
}

export class Fulfilling {
  readonly #parts: FulfillingParts;

  constructor(parts: FulfillingParts) {
    this.#parts = parts;
  }

  /**
   * Finishes an order; one that is queued is started on the way. Between both it is the barista's, under a lease. Again
   * for the same order it answers the same.
   */
  async complete({ orderId, barista, traceparent }: Change): Promise<ChangeOutcome> {
    const { orders } = this.#parts;
    const finished = await orders.finish({ orderId, barista, traceparent });
    if (finished.kind !== "conflict" || finished.status !== "queued") return finished;
    const starter = barista ?? ANONYMOUS;
    const started = await orders.start({ orderId, barista: starter, queue: DEFAULT_QUEUE, traceparent });
    if (started.kind === "empty") throw new TypeError("a start of one order found none");
    // Where another was faster, the order is theirs, or over: the finish says so.
    const holder = started.kind === "started" ? starter : barista;
    return await orders.finish({ orderId, barista: holder, traceparent });
  }

  reject(change: Change): Promise<ChangeOutcome> {
    return this.#parts.staffing.cancel(change);
  }
}
