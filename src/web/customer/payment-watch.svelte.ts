/**
 * Owns what the page knows of the payments of its orders: by events, and by looks at those that no event may show.
 *
 * **Invariants**
 * - An answer is dropped if something newer was heard while it was on its way.
 * - While the page is hidden, nothing is asked for.
 */
import { between } from "../../pause.ts";
import type { Payment } from "../../orders/payment.ts";
import { isSettled } from "../shared/payments.ts";
import * as api from "./api.ts";

/** Between two looks: at one that the provider has yet to answer for, and at one that waits for people. */
const MOVING_MS = 2500;
const QUIET_MS = 12_000;

/** An order whose payment may change without an event that comes here. */
export interface Watched {
  readonly orderId: string;
  /** Then no event of it comes any more, and what is not settled yet soon is. */
  readonly isCancelled: boolean;
}

export class PaymentWatch {
  #known = $state.raw<ReadonlyMap<string, Payment>>(new Map());
  /** How often each was heard of. */
  readonly #heard = new Map<string, number>();
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();
  #watched: ReadonlyMap<string, Watched> = new Map();

  find(orderId: string): Payment | undefined {
    return this.#known.get(orderId);
  }

  hear(payment: Payment): void {
    const { order_id: id } = payment;
    this.#heard.set(id, (this.#heard.get(id) ?? 0) + 1);
    this.#known = new Map(this.#known).set(id, payment);
  }

  /** Looks at these from now on, and at once at those that are new. */
  watch(watched: readonly Watched[]): void {
    const before = this.#watched;
    this.#watched = new Map(watched.map((one) => [one.orderId, one]));
    for (const [orderId, { isCancelled }] of this.#watched) {
      if (before.get(orderId)?.isCancelled !== isCancelled) void this.#keepLooking(orderId);
    }
    for (const [orderId, timer] of this.#timers) if (!this.#watched.has(orderId)) clearTimeout(timer);
  }

  /** The device came back. */
  hurry(): void {
    for (const orderId of this.#watched.keys()) void this.#keepLooking(orderId);
  }

  async look(orderId: string): Promise<void> {
    const heardBefore = this.#heard.get(orderId);
    const answer = await api.findPayment(orderId);
    if (answer.kind === "done" && this.#heard.get(orderId) === heardBefore) this.hear(answer.value);
  }

  async #keepLooking(orderId: string): Promise<void> {
    clearTimeout(this.#timers.get(orderId));
    if (!document.hidden) await this.look(orderId);
    const watched = this.#watched.get(orderId);
    const payment = this.find(orderId);
    clearTimeout(this.#timers.get(orderId));
    if (!watched || (payment && isSettled(payment))) return;
    const isMoving = payment?.is_under_way || (watched.isCancelled && payment?.status === "PAYMENT_CREATED");
    const ms = isMoving ? MOVING_MS : QUIET_MS;
    this.#timers.set(
      orderId,
      setTimeout(() => void this.#keepLooking(orderId), between(0.8 * ms, 1.2 * ms)),
    );
  }
}
