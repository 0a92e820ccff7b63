/**
 * Owns how a customer listens to an order.
 *
 * **Invariants**
 * - The order is looked at after the subscription began: its end comes after the look, or is seen by it.
 * - A listener has a slot of its address until its subscription ends.
 */
import type { EventId } from "../events/event.ts";
import type { EventFeed, Subscription } from "../events/feed.ts";
import type { WaitRejection, WaitLimit } from "../limits/wait-limit.ts";
import type { Order, OrderJson } from "../orders/order.ts";
import type { Orders } from "../orders/orders.ts";
import { isFinal } from "../orders/status.ts";

export interface ListeningParts {
  readonly orders: Pick<Orders, "find">;
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
 * `listening`: both the subscription and `slot` are to be ended with the stream. `over`: the order is final; the
 * frames of the events that are left of it. `full`: there are as many listeners as there may be.
 */
export type ListenOutcome =
  | { readonly kind: "listening"; readonly subscription: Subscription; readonly slot: Disposable }
  | { readonly kind: "over"; readonly frames: Uint8Array }
  | { readonly kind: "unknown" | "damaged" | "full" | "closing" | WaitRejection };

export class Listening {
  readonly #parts: ListeningParts;

  constructor(parts: ListeningParts) {
    this.#parts = parts;
  }

  /** Begins to listen to an order. Rejects when Redis does not answer. */
  async listenToOrder({ orderId, address, after }: ListenRequest): Promise<ListenOutcome> {
    const { orders, feed, listenerLimit } = this.#parts;
    const acquisition = listenerLimit.acquire(address);
    if (acquisition.kind !== "acquired") return acquisition;
    using stay = new DisposableStack();
    const slot = stay.use(acquisition.slot);
    const subscribed = await feed.subscribe();
    if (subscribed.kind !== "subscribed") return subscribed;
    const { subscription } = subscribed;
    stay.defer(() => subscription.unsubscribe());
    const found = await orders.find(orderId);
    if (found.kind !== "found") return found;
    if (isFinal(found.status)) return { kind: "over", frames: await this.#readReplay(orderId, found.order, after) };
    stay.move();
    return { kind: "listening", subscription, slot };
  }

  #readReplay(orderId: string, order: OrderJson, after: EventId | undefined): Promise<Uint8Array> {
    const { finished_at: finishedAt = "" } = JSON.parse(order) as Order;
    return this.#parts.feed.readReplay({ orderId, after, finishedMs: Date.parse(finishedAt) });
  }
}
