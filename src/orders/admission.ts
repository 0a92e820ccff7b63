/**
 * Owns the verbs that let orders in: place, reserve, complete.
 * Always holds: an order is let in by one script that asks the shop first; a refusal changes nothing.
 */
import type { ShopRedis } from "../redis/connections.ts";
import { asText } from "../redis/reply.ts";
import { batched, loadScript } from "../redis/script.ts";
import {
  DEFAULT_ITEM,
  toOrderJson,
  type Completion,
  type Draft,
  type OrderJson,
  type ReservationDraft,
} from "./order.ts";
import { mayHaveRun, readChange, unexpected, type ChangeOutcome } from "./outcomes.ts";

/** A new order. `orderId` (UUIDv7) is made by the caller: placing the same id again changes nothing. */
export interface Placement {
  readonly orderId: string;
  readonly queue: string;
  readonly draft: Draft;
  readonly idempotencyKey?: string | undefined;
}

const WHY_REFUSED = [
  "closed",
  "full",
  "too_many_open",
  "unknown_item",
  "unavailable_item",
  "unknown_modifier",
  "unknown_option",
  "code_required",
  "code_wrong",
  "code_used_up",
] as const;
type WhyRefused = (typeof WHY_REFUSED)[number];

/** The shop's no. `subject` is the item or the modifier that it is about, or empty. Nothing is queued, and no code is spent. */
export interface ShopRefusal {
  readonly kind: "refused";
  readonly why: WhyRefused;
  readonly subject: string;
}

/** `placed`: the order is queued. `joined`: the key was used with the same body; the id is the first order's. `mismatch`: with another. */
export type PlaceOutcome =
  | { readonly kind: "placed" | "joined"; readonly orderId: string }
  | { readonly kind: "mismatch" }
  | ShopRefusal;

/** An order for a code, its drink to be chosen. `orderId` (UUIDv7) is made by the caller: reserving the same id again changes nothing. */
export interface Reservation {
  readonly orderId: string;
  readonly draft: ReservationDraft;
  readonly idempotencyKey?: string | undefined;
}

export interface Choice {
  readonly orderId: string;
  readonly queue: string;
  readonly completion: Completion;
}

export type ReserveOutcome =
  | { readonly kind: "reserved"; readonly orderId: string; readonly order: OrderJson }
  | { readonly kind: "mismatch" }
  | { readonly kind: "damaged" }
  | ShopRefusal;
export type CompleteOutcome = ChangeOutcome | ShopRefusal;

export interface AdmissionOptions {
  readonly retentionMs: number;
  /** Cancels an order that nobody waits for. */
  readonly takeBack: (orderId: string) => Promise<unknown>;
}

export function createAdmission(
  { run, later }: Pick<ShopRedis, "run" | "later">,
  { retentionMs, takeBack }: AdmissionOptions,
) {
  const place = batched<Placement, PlaceOutcome>(run, {
    script: loadScript("place-order"),
    shared: [retentionMs],
    encode: ({ orderId, queue, draft, idempotencyKey = "" }) => {
      const { item = DEFAULT_ITEM, modifiers, code = "", ...details } = draft;
      const hash = idempotencyKey && hashOf(draft);
      const [options, all] = [encodeModifiers(modifiers), encodeDetails({ ...details, modifiers })];
      return [orderId, queue, item, options, all, details.customer_id ?? "", code, idempotencyKey, hash];
    },
    decode: (kind, [orderId, subject]) => {
      if (kind === "placed" || kind === "joined") return { kind, orderId: asText(orderId) };
      if (kind === "mismatch") return { kind };
      return readShopRefusal("place-order", kind, [orderId, subject]);
    },
  });

  return {
    /**
     * Queues a new order. When Redis does not answer in time the order may still be queued later, for nobody: then it is
     * cancelled, unless its customer can come back to it by their key.
     */
    place: async (placement: Placement): Promise<PlaceOutcome> => {
      try {
        return await place(placement);
      } catch (error) {
        const { orderId, idempotencyKey } = placement;
        if (mayHaveRun(error) && idempotencyKey === undefined) {
          later(() => takeBack(orderId));
        }
        throw error;
      }
    },

    /** Redeems a code for an order whose drink is chosen later. Never given up on half-way: who got no answer can redeem again. */
    reserve: batched<Reservation, ReserveOutcome>(run, {
      script: loadScript("reserve-order"),
      shared: [retentionMs],
      encode: ({ orderId, draft, idempotencyKey = "" }) => {
        const { code, ...details } = draft;
        // A key that has reserved an order does not place one.
        const hash = idempotencyKey && `reservation:${hashOf(draft)}`;
        return [orderId, code, encodeDetails(details), details.customer_id ?? "", idempotencyKey, hash];
      },
      decode: (kind, rest) => {
        const [id, json] = rest;
        if (kind === "reserved") return { kind, orderId: asText(id), order: toOrderJson(asText(id), asText(json)) };
        if (kind === "mismatch" || kind === "damaged") return { kind };
        return readShopRefusal("reserve-order", kind, rest);
      },
    }),

    /** Queues a reserved order, its drink chosen. The same choice again answers the same. */
    complete: batched<Choice, CompleteOutcome>(run, {
      script: loadScript("complete-order"),
      shared: [retentionMs],
      encode: ({ orderId, queue, completion }) => {
        const { item = DEFAULT_ITEM, modifiers, ...details } = completion;
        const options = encodeModifiers(modifiers);
        return [orderId, queue, item, options, encodeDetails({ ...details, modifiers }), hashOf(completion)];
      },
      decode: (kind, rest) =>
        kind === "refused" ? readShopRefusal("complete-order", kind, rest) : readChange("completed", kind, rest),
    }),
  };
}

function readShopRefusal(script: string, kind: string, [why, subject]: readonly unknown[]): ShopRefusal {
  const known = WHY_REFUSED.find((each) => each === why);
  if (kind !== "refused" || !known) throw unexpected(script, kind);
  return { kind, why: known, subject: asText(subject) };
}

function encodeModifiers(modifiers: Draft["modifiers"]): string {
  return modifiers && Object.keys(modifiers).length > 0 ? JSON.stringify(modifiers) : "";
}

/** What is told of the order beside what scripts know: nothing that is empty. */
function encodeDetails({ note, modifiers, ...others }: Omit<Draft, "item" | "code">): string {
  const options = encodeModifiers(modifiers) ? modifiers : undefined;
  return JSON.stringify({ ...others, note: note || undefined, modifiers: options });
}

/** The same for bodies that mean the same: defaults filled in, fields in a fixed order. */
function hashOf({ item = DEFAULT_ITEM, modifiers = {}, ...others }: Draft): string {
  const options = Object.entries(modifiers).toSorted(([one], [other]) => (one < other ? -1 : 1));
  const { note = "", customer_id = "", customer_name = "", code = "" } = others;
  const canonical = JSON.stringify([item, note, customer_id, customer_name, options, code]);
  return new Bun.CryptoHasher("sha256").update(canonical).digest("base64url");
}
