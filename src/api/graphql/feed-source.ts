/**
 * Owns what a subscription listens to, between its resolver and its stream.
 *
 * GraphQL wants an async iterable of a resolver. Events are pushed here, and a client that reads slowly is cut off by
 * its stream: so the iterable is empty, and says what to listen to.
 *
 * **Invariants**
 * - What it holds is released once: by its stream, or by what iterates it.
 */
import type { Wanted } from "../../events/event.ts";
import type { Subscription } from "../../events/feed.ts";
import type { Order } from "../../orders/order.ts";

/** `live`: to be followed. `over`: these frames of events, and nothing after them. */
export type Heard =
  | {
      readonly kind: "live";
      readonly subscription: Subscription;
      readonly wanted: Wanted;
      /** Called once it is over. */
      readonly release: () => void;
    }
  | { readonly kind: "over"; readonly frames: Uint8Array };

export class FeedSource implements AsyncIterable<Order> {
  readonly heard: Heard;

  constructor(heard: Heard) {
    this.heard = heard;
  }

  [Symbol.asyncIterator](): AsyncIterator<Order> {
    const { heard } = this;
    return {
      next: () => {
        if (heard.kind === "live") {
          heard.subscription.unsubscribe();
          heard.release();
        }
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }
}
