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

/** `live`: to be followed. `over`: these frames of events, and nothing after. `settled`: that data, and no more. */
export type Heard<Data> =
  | {
      readonly kind: "live";
      readonly subscription: Subscription;
      readonly wanted: Wanted;
      /** After so long it is cut; undefined: it lasts as long as it wants something. */
      readonly longestMs?: number | undefined;
      /** Called once it is over. */
      readonly release: () => void;
    }
  | { readonly kind: "over"; readonly frames: Uint8Array }
  | { readonly kind: "settled"; readonly data: Data };

/** `Data`: that of the events, which its field resolves. */
export class FeedSource<Data = Order> implements AsyncIterable<Data> {
  readonly heard: Heard<Data>;

  constructor(heard: Heard<Data>) {
    this.heard = heard;
  }

  [Symbol.asyncIterator](): AsyncIterator<Data> {
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
