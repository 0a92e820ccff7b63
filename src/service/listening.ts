/**
 * Owns how a customer listens to an order, or to its payment.
 *
 * **Invariants**
 * - What is listened to is looked at after the subscription began: its end comes after the look, or is seen by it.
 * - A listener has a slot of its address until its subscription ends.
 */
import { FINAL_TYPES, PAYMENT_TYPES, type EventId, type Wanted } from "../events/event.ts";
import type { EventFeed, Subscription } from "../events/feed.ts";
import type { WaitRejection, WaitLimit } from "../limits/wait-limit.ts";
import type { Order } from "../orders/order.ts";
import type { Orders } from "../orders/orders.ts";
import type { PaymentJson } from "../orders/payment.ts";
import type { Payments } from "../orders/payments.ts";
import { isFinal } from "../orders/status.ts";
import { endOf } from "./payment-end.ts";

export interface ListeningParts {
  readonly orders: Pick<Orders, "find">;
  readonly payments: Pick<Payments, "find">;
  readonly feed: EventFeed;
  /** For customers who listen to events, counted apart from those who are held. */
  readonly listenerLimit: WaitLimit;
}

interface ListenRequest {
  readonly orderId: string;
  /** The listener, as limits count it. */
  readonly address: string;
  /** The last event that it has. */
  readonly after: EventId | undefined;
}

/**
 * `listening`: both the subscription and `slot` are to be ended with the stream. `over`: the frames of the events that
 * are left. `full`: there are as many listeners as there may be.
 */
export type ListenOutcome =
  | {
      readonly kind: "listening";
      readonly subscription: Subscription;
      readonly slot: Disposable;
      readonly wanted: Wanted;
    }
  | { readonly kind: "over"; readonly frames: Uint8Array }
  | { readonly kind: "unknown" | "damaged" | "full" | "closing" | WaitRejection };

/** `settled`: it is over, and its listener comes for the first time: the payment as it is. */
export type ListenToPaymentOutcome = ListenOutcome | { readonly kind: "settled"; readonly payment: PaymentJson };

/** A subscription that is ended with `stay`, unless it is listened to. */
interface Seat {
  readonly kind: "seated";
  readonly stay: Disposable;
  readonly listen: (wanted: Wanted) => ListenOutcome;
}

export class Listening {
  readonly #parts: ListeningParts;

  constructor(parts: ListeningParts) {
    this.#parts = parts;
  }

  /** Begins to listen to an order. Rejects when Redis does not answer. */
  async listenToOrder({ orderId, address, after }: ListenRequest): Promise<ListenOutcome> {
    const { orders, feed } = this.#parts;
    const seat = await this.#sit(address);
    if (seat.kind !== "seated") return seat;
    using _ = seat.stay;
    const found = await orders.find(orderId);
    if (found.kind !== "found") return found;
    if (!isFinal(found.status)) return seat.listen({ orderId, until: FINAL_TYPES });
    const { finished_at: finishedAt = "" } = JSON.parse(found.order) as Order;
    const ended = { orderId, after, until: FINAL_TYPES, finishedMs: Date.parse(finishedAt) };
    return { kind: "over", frames: await feed.readReplay(ended) };
  }

  /** Begins to listen to the payment of an order, which goes on after its order. Rejects when Redis does not answer. */
  async listenToPayment({ orderId, address, after }: ListenRequest): Promise<ListenToPaymentOutcome> {
    const { payments, feed } = this.#parts;
    const seat = await this.#sit(address);
    if (seat.kind !== "seated") return seat;
    using _ = seat.stay;
    const found = await payments.find(orderId);
    if (found.kind !== "found") return found;
    const { until, finishedMs } = endOf(found.payment);
    const wanted = { orderId, types: PAYMENT_TYPES, until };
    if (finishedMs === undefined) return seat.listen(wanted);
    if (after === undefined) return { kind: "settled", payment: found.payment };
    return { kind: "over", frames: await feed.readReplay({ ...wanted, after, finishedMs }) };
  }

  async #sit(address: string): Promise<Seat | Exclude<ListenOutcome, { kind: "listening" | "over" }>> {
    const { feed, listenerLimit } = this.#parts;
    const acquisition = listenerLimit.acquire(address);
    if (acquisition.kind !== "acquired") return acquisition;
    const { slot } = acquisition;
    using stay = new DisposableStack();
    stay.use(slot);
    const subscribed = await feed.subscribe();
    if (subscribed.kind !== "subscribed") return subscribed;
    const { subscription } = subscribed;
    stay.defer(() => subscription.unsubscribe());
    const staying = stay.move();
    const listen = (wanted: Wanted): ListenOutcome => {
      staying.move();
      return { kind: "listening", subscription, slot, wanted };
    };
    return { kind: "seated", stay: staying, listen };
  }
}
