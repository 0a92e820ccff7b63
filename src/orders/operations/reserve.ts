/** Owns the operation that redeems a code for an order to be chosen later (`redis/operations/reserve.lua`). */
import type { Operation } from "../../redis/operation.ts";
import { orderIdIn } from "../../redis/order-id.ts";
import { readTokens, readShopRefusal, type ShopRefusal, type Tokens } from "../admission.ts";
import { encodeDetails, hashOf } from "../draft.ts";
import type { OrderJson, ReservationDraft } from "../order.ts";
import { unexpected } from "../outcomes.ts";

/** An order for a code. `orderId` (UUIDv7) is made by the caller: reserving the same id again changes nothing. */
export interface Reservation {
  readonly orderId: string;
  readonly draft: ReservationDraft;
  readonly idempotencyKey?: string | undefined;
  /** The bucket that it takes a token of; undefined: no limit. */
  readonly bucket?: string | undefined;
  /** The trace that it is part of, as `traceparent` spells it: kept with the order; undefined: it is not traced. */
  readonly traceparent?: string | undefined;
}

export type ReserveOutcome =
  | { readonly kind: "reserved"; readonly orderId: string; readonly order: OrderJson; readonly tokens: Tokens }
  | { readonly kind: "mismatch"; readonly tokens: Tokens }
  | { readonly kind: "denied"; readonly tokens: Tokens }
  | { readonly kind: "damaged" }
  | (ShopRefusal & { readonly tokens: Tokens });

type Field = "order_id" | "code" | "details" | "customer_id" | "idempotency_key" | "body_hash" | "bucket";

export const reserve: Operation<Reservation, ReserveOutcome, Field> = {
  name: "reserve",
  fields: ["order_id", "code", "details", "customer_id", "idempotency_key", "body_hash", "bucket"],
  encode: ({ orderId, draft, idempotencyKey = "", bucket = "", traceparent }) => {
    const { code, ...details } = draft;
    return {
      order_id: orderId,
      code,
      details: encodeDetails(details, traceparent),
      customer_id: details.customer_id ?? "",
      idempotency_key: idempotencyKey,
      // A key that has reserved an order does not place one.
      body_hash: idempotencyKey && `reservation:${hashOf(draft)}`,
      bucket,
    };
  },
  decode: (outcome, rest) => {
    if (outcome === "reserved") {
      const order = rest[3] ?? "";
      return { kind: outcome, orderId: orderIdIn(order), order, tokens: readTokens(rest) };
    }
    if (outcome === "mismatch" || outcome === "denied") return { kind: outcome, tokens: readTokens(rest) };
    if (outcome === "damaged") return { kind: outcome };
    if (outcome === "refused") return { ...readShopRefusal(rest), tokens: readTokens(rest.slice(2)) };
    throw unexpected(outcome);
  },
};
