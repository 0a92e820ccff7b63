/**
 * Owns what a transport implements to have a caller held, and all that such a caller can be answered.
 *
 * **Invariants**
 * - A refused caller has no order: nothing was queued.
 * - Nothing here is of a transport: each puts the outcomes in its own words.
 */
import type { WaitRejection } from "../limits/wait-limit.ts";
import type { Verdict } from "../limits/limiter.ts";
import type { End } from "../longpoll/room.ts";
import type { ShopRefusal } from "../orders/admission.ts";
import type { FindOutcome } from "../orders/queries.ts";
import type { OrderJson } from "../orders/order.ts";

/**
 * `closing`: the server is stopping. `denied`: the address orders too fast. `mismatch`: the key was used with another
 * body. `damaged`: the key's first order is. `refused`: by the shop. The others: too many wait already.
 */
export type OrderRefusal = (
  | { readonly kind: "closing" | "damaged" | "denied" | "mismatch" | WaitRejection }
  | ShopRefusal
) & {
  /** The address's rate limit, where the request was counted. */
  readonly limit?: Verdict | undefined;
};

/** How the wait for an order ended. `time_over`: with the order as it was found then. */
export type HeldOutcome =
  | End<OrderJson>
  | { readonly kind: "left" }
  | { readonly kind: "redirected" }
  | { readonly kind: "time_over"; readonly found: FindOutcome };

/** A caller that waits for an order: an object of its transport. It is refused or settled, or fails: once. */
export interface Caller {
  /** Aborted when they leave. */
  readonly signal: AbortSignal;
  /** How long they wait; undefined: as long as it takes. */
  readonly seconds: number | undefined;
  /** Whether they have to stay when others are redirected: their answer has begun. */
  readonly mustStay: boolean;
  /** Notifies them of the order that they wait for from now on, and of their address's rate limit. */
  hold(orderId: string, limit: Verdict | undefined): void;
  /** Nothing was placed, and they were not held. */
  refuse(refusal: OrderRefusal): void;
  /** Their wait ended. */
  settle(outcome: HeldOutcome): void;
  /** An error came that was not expected, before they were held or after. */
  fail(error: unknown): void;
}
