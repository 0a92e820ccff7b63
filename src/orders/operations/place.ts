/** Owns the operation that queues a new order (`redis/operations/place.lua`). */
import type { Operation } from "../../redis/operation.ts";
import { readTokens, readShopRefusal, type ShopRefusal, type Tokens } from "../admission.ts";
import { encodeDetails, encodeDue, encodeModifiers, hashOf } from "../draft.ts";
import { DEFAULT_ITEM, type Draft } from "../order.ts";
import { unexpected } from "../outcomes.ts";

/** A new order. `orderId` (UUIDv7) is made by the caller: placing the same id again changes nothing. */
export interface Placement {
  readonly orderId: string;
  readonly queue: string;
  readonly draft: Draft;
  readonly idempotencyKey?: string | undefined;
  /** The bucket that it takes a token of; undefined: no limit. */
  readonly bucket?: string | undefined;
  /** The replica that holds its customer; undefined: none does. */
  readonly holder?: string | undefined;
  /** The trace that it is part of, as `traceparent` spells it: kept with the order; undefined: it is not traced. */
  readonly traceparent?: string | undefined;
}

/**
 * `placed`: the order is queued. `joined`: the key was used with the same body; the id is the first order's.
 * `mismatch`: with another. `denied`: the bucket is empty. `damaged`: the key's first order is.
 */
export type PlaceOutcome =
  | { readonly kind: "placed"; readonly orderId: string; readonly tokens: Tokens }
  | { readonly kind: "joined"; readonly orderId: string; readonly tokens: Tokens }
  | { readonly kind: "mismatch"; readonly tokens: Tokens }
  | { readonly kind: "denied"; readonly tokens: Tokens }
  | { readonly kind: "damaged" }
  | (ShopRefusal & { readonly tokens: Tokens });

type Field =
  | "order_id"
  | "queue"
  | "item"
  | "details"
  | "bucket"
  | "holder"
  | "modifiers"
  | "customer_id"
  | "code"
  | "idempotency_key"
  | "body_hash"
  | "due";

export const place: Operation<Placement, PlaceOutcome, Field> = {
  name: "place",
  fields: [
    "order_id",
    "queue",
    "item",
    "details",
    "bucket",
    "holder",
    "modifiers",
    "customer_id",
    "code",
    "idempotency_key",
    "body_hash",
    "due",
  ],
  optional: 6,
  encode: ({ orderId, queue, draft, idempotencyKey = "", bucket = "", holder = "", traceparent }) => {
    const { item = DEFAULT_ITEM, modifiers, customer_id = "", code = "" } = draft;
    return {
      order_id: orderId,
      queue,
      item,
      details: encodeDetails(draft, traceparent),
      bucket,
      holder,
      modifiers: encodeModifiers(modifiers),
      customer_id,
      code,
      idempotency_key: idempotencyKey,
      body_hash: idempotencyKey && hashOf(draft),
      due: encodeDue(draft.not_before),
    };
  },
  decode: (outcome, rest, { orderId }) => readPlaced(outcome, rest, orderId),
};

/** What a script answers to a new order. */
export function readPlaced(outcome: string, rest: readonly string[], orderId: string): PlaceOutcome {
  if (outcome === "placed") return { kind: outcome, orderId, tokens: readTokens(rest) };
  if (outcome === "joined") return { kind: outcome, orderId: rest[0] ?? "", tokens: readTokens(rest.slice(1)) };
  if (outcome === "mismatch" || outcome === "denied") return { kind: outcome, tokens: readTokens(rest) };
  if (outcome === "damaged") return { kind: outcome };
  if (outcome === "refused") return { ...readShopRefusal(rest), tokens: readTokens(rest.slice(2)) };
  throw unexpected(outcome);
}
