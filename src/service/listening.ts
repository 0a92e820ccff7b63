/**
 * Owns how a customer listens to an order.
 *
 * **Invariants**
 * - The order is looked at after the subscription began: its end comes after the look, or is seen by it.
 * - A listener has a slot of the address until its place is given back.
 */
import type { EventId } from "../events/event.ts";
import type { EventFeed, Place } from "../events/feed.ts";
import type { Crowd, HeldRequests } from "../limits/held.ts";
import { isFinal, type Order, type OrderJson } from "../orders/order.ts";
import type { Orders } from "../orders/verbs.ts";

export interface ListeningParts {
  readonly orders: Pick<Orders, "find">;
  readonly feed: EventFeed;
  /** Customers who listen to events, counted apart from those who are held. */
  readonly listeners: HeldRequests;
}

interface ListenRequest {
  readonly orderId: string;
  /** The listener, as limits count it. */
  readonly address: string;
  /** The last event that it has. */
  readonly after: EventId | undefined;
}

/**
 * `listening`: `place` may follow, and `slot` is to be disposed of when it is over. `over`: the order is final; the
 * frames of the events that are left of it. `full`: there are as many listeners as there may be.
 */
export type ListenOutcome =
  | { readonly kind: "listening"; readonly place: Place; readonly slot: Disposable }
  | { readonly kind: "over"; readonly frames: Uint8Array }
  | { readonly kind: "unknown" | "damaged" | "full" | "closing" | Crowd };

export class Listening {
  readonly #parts: ListeningParts;

  constructor(parts: ListeningParts) {
    this.#parts = parts;
  }

  /** Begins to listen to an order. Rejects when Redis does not answer. */
  async listenToOrder({ orderId, address, after }: ListenRequest): Promise<ListenOutcome> {
    const { orders, feed, listeners } = this.#parts;
    const entry = listeners.enter(address);
    if (entry.kind !== "entered") return entry;
    using stay = new DisposableStack();
    const slot = stay.use(entry.place);
    const subscribed = await feed.takePlace();
    if (subscribed.kind !== "taken") return subscribed;
    const { place } = subscribed;
    stay.defer(() => place.leave());
    const found = await orders.find(orderId);
    if (found.kind !== "found") return found;
    if (isFinal(found.status)) return { kind: "over", frames: await this.#readReplay(orderId, found.order, after) };
    stay.move();
    return { kind: "listening", place, slot };
  }

  #readReplay(orderId: string, order: OrderJson, after: EventId | undefined): Promise<Uint8Array> {
    const { finished_at: finishedAt = "" } = JSON.parse(order) as Order;
    return this.#parts.feed.readEnded({ orderId, after, finishedMs: Date.parse(finishedAt) });
  }
}
