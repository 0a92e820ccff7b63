/**
 * Owns the verbs of an order: each one is one Lua script, and all calls of a tick travel together.
 * Always holds: outcomes that can be expected are values; only Redis being away or a broken script rejects.
 */
import { RedisAwayError } from "../redis/away.ts";
import type { ShopRedis } from "../redis/connections.ts";
import { asInteger, asList, asText } from "../redis/reply.ts";
import { batched, loadScript, type RunScript } from "../redis/script.ts";
import {
  DEFAULT_ITEM,
  toOrderJson,
  type Completion,
  type Draft,
  type OrderJson,
  type Reason,
  type ReservationDraft,
  type Status,
} from "./order.ts";

/** Where customers' orders go, and where baristas look who name no queue. */
export const DEFAULT_QUEUE = "default";

export interface OrderSettings {
  readonly leaseSeconds: number;
  /** How many leases of one order may run out before it is cancelled. */
  readonly maxAttempts: number;
  readonly retentionHours: number;
}

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

/** A barista's wish for an order. The same `claim` (UUID, made by the caller) gets the same order. */
export interface Claim {
  readonly claim: string;
  readonly barista: string;
  readonly queue: string;
  /** Whether a barista who got no answer may ask again with the same claim: then the order stays theirs. */
  readonly mayReturn?: boolean;
  /** Only this order, out of its turn. */
  readonly orderId?: string | undefined;
}

/** `conflict`: the order's state does not allow the verb; `barista` is who holds or held it, or empty. */
export type Refusal =
  | { readonly kind: "unknown" }
  | { readonly kind: "conflict"; readonly status: Status; readonly barista: string };
export type StartOutcome =
  | { readonly kind: "started"; readonly orderId: string; readonly order: OrderJson }
  | { readonly kind: "empty" }
  | Refusal;
export type ChangeOutcome = { readonly kind: "changed"; readonly order: OrderJson } | Refusal;

/** Which order, and whose: `barista` undefined means whoever holds it. */
export interface Change {
  readonly orderId: string;
  readonly barista?: string | undefined;
}

export interface Cancellation extends Change {
  readonly canceller: "customer" | "barista";
  readonly reason: Reason;
}

export type ReserveOutcome =
  | { readonly kind: "reserved"; readonly orderId: string; readonly order: OrderJson }
  | { readonly kind: "mismatch" }
  | ShopRefusal;
export type CompleteOutcome = ChangeOutcome | ShopRefusal;

export type FindOutcome =
  | { readonly kind: "found"; readonly status: Status; readonly order: OrderJson }
  | { readonly kind: "unknown" };

export interface Search {
  readonly status?: Status | undefined;
  readonly customerId?: string | undefined;
  /** Placed at or after, and before; ms since 1970. */
  readonly fromMs: number;
  readonly beforeMs: number;
  /** The `cursor` of the page before. */
  readonly cursor?: string | undefined;
  readonly limit: number;
}

/** `cursor` goes on after this page; absent on the last one. `cursor_gone`: its order is no longer kept. */
type SearchOutcome =
  | { readonly kind: "page"; readonly orders: readonly OrderJson[]; readonly cursor?: string }
  | { readonly kind: "cursor_gone" };

interface QueueMeasure {
  readonly depth: number;
  readonly brewing: number;
  readonly oldestWaitingSeconds: number | null;
}

export type Orders = ReturnType<typeof createOrders>;

export function createOrders(
  { run, later }: Pick<ShopRedis, "run" | "later">,
  { leaseSeconds, maxAttempts, retentionHours }: OrderSettings,
) {
  const leaseMs = leaseSeconds * 1000;
  const retentionMs = retentionHours * 3_600_000;

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

  const start = batched<Claim, StartOutcome>(run, {
    script: loadScript("start-order"),
    shared: [leaseMs, maxAttempts, retentionMs],
    encode: ({ claim, barista, queue, orderId = "" }) => [claim, barista, queue, orderId],
    decode: (kind, rest) => {
      const [id, json] = rest;
      if (kind === "empty") return { kind };
      if (kind === "started") return { kind, orderId: asText(id), order: toOrderJson(asText(id), asText(json)) };
      return readRefusal("start-order", kind, rest);
    },
  });

  const dropClaim = batched<string, void>(run, {
    script: loadScript("drop-claim"),
    shared: [],
    encode: (claim) => [claim],
    decode: () => {},
  });

  const cancel = batched<Cancellation, ChangeOutcome>(run, {
    script: loadScript("cancel-order"),
    shared: [retentionMs],
    encode: ({ orderId, canceller, reason, barista = "" }) => [orderId, canceller, reason, barista],
    decode: (kind, rest) => readChange("cancelled", kind, rest),
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
          later(() => cancel({ orderId, canceller: "customer", reason: "customer_timeout" }));
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
        if (kind === "mismatch") return { kind };
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

    /**
     * Gives the barista the order whose lease ran out first, else the oldest queued one. When Redis does not answer in time
     * the claim is dropped once it does, unless the barista may come back with it.
     */
    start: async (claim: Claim): Promise<StartOutcome> => {
      try {
        return await start(claim);
      } catch (error) {
        if (mayHaveRun(error) && !claim.mayReturn) later(() => dropClaim(claim.claim));
        throw error;
      }
    },

    /** Makes a brewing order ready. */
    finish: batched<Change, ChangeOutcome>(run, {
      script: loadScript("finish-order"),
      shared: [retentionMs],
      encode: ({ orderId, barista = "" }) => [orderId, barista],
      decode: (kind, rest) => readChange("finished", kind, rest),
    }),

    /** Puts a brewing order back to its place in the queue. */
    release: batched<Change, ChangeOutcome>(run, {
      script: loadScript("release-order"),
      shared: [],
      encode: ({ orderId, barista = "" }) => [crypto.randomUUID(), orderId, barista],
      decode: (kind, rest) => readChange("released", kind, rest),
    }),

    /** Gives a brewing order a new lease. */
    extend: batched<Change, ChangeOutcome>(run, {
      script: loadScript("extend-order"),
      shared: [leaseMs],
      encode: ({ orderId, barista = "" }) => [crypto.randomUUID(), orderId, barista],
      decode: (kind, rest) => readChange("extended", kind, rest),
    }),

    /** Cancels a queued order; a barista may cancel a brewing one too. */
    cancel,

    /** The order as it is now, with its position and expected wait while queued. */
    find: batched<string, FindOutcome>(run, {
      script: loadScript("find-order"),
      shared: [],
      encode: (orderId) => [orderId],
      decode: (kind, [id, status, json]) => {
        if (kind === "unknown") return { kind };
        if (kind === "found") {
          return { kind, status: asText(status) as Status, order: toOrderJson(asText(id), asText(json)) };
        }
        throw unexpected("find-order", kind);
      },
    }),

    search: createSearch(run),
    measure: createMeasure(run),
    expire: createExpire(run, maxAttempts, retentionMs),
    forget: createForget(run, retentionMs),
  };
}

/** A page of orders by time placed, oldest first. */
function createSearch(run: RunScript) {
  const script = loadScript("search-orders");
  return async ({ status, customerId, fromMs, beforeMs, cursor, limit }: Search): Promise<SearchOutcome> => {
    const reply = await run(script, [customerId ?? "", status ?? "", fromMs, beforeMs, cursor ?? "", limit]);
    const [kind, next, ...orders] = asList(reply);
    if (kind === "cursor_gone") return { kind };
    return { kind: "page", orders: orders.map(readFound), ...(next ? { cursor: asText(next) } : undefined) };
  };
}

/** How long a queue is. */
function createMeasure(run: RunScript) {
  const script = loadScript("measure-queue");
  return async (queue: string): Promise<QueueMeasure> => {
    const [depth, brewing, oldestMs] = asList(await run(script, [queue]));
    const oldestWaitingSeconds = asInteger(oldestMs) < 0 ? null : asInteger(oldestMs) / 1000;
    return { depth: asInteger(depth), brewing: asInteger(brewing), oldestWaitingSeconds };
  };
}

/** Looks after leases and reservations that ran out. `nextMs`: when the next one does; null: none is open. */
function createExpire(run: RunScript, maxAttempts: number, retentionMs: number) {
  const expireLeases = loadScript("expire-leases");
  const expireReservations = loadScript("expire-reservations");
  return async (): Promise<{ nextMs: number | null; cancelled: number }> => {
    const replies = await Promise.all([
      run(expireLeases, [maxAttempts, retentionMs]),
      run(expireReservations, [retentionMs]),
    ]);
    const [leases, reservations] = replies.map((reply) => asList(reply).map(asInteger));
    const nexts = [leases?.[0] ?? -1, reservations?.[0] ?? -1].filter((ms) => ms >= 0);
    return {
      nextMs: nexts.length > 0 ? Math.min(...nexts) : null,
      cancelled: (leases?.[1] ?? 0) + (reservations?.[1] ?? 0),
    };
  };
}

/** Drops a batch of what retention removed from the indexes. `skip` entries were found still kept by earlier calls. */
function createForget(run: RunScript, retentionMs: number) {
  const script = loadScript("forget-orders");
  return async (skip: number): Promise<{ kept: number; isMore: boolean }> => {
    const [kept, more] = asList(await run(script, [retentionMs, skip]));
    return { kept: asInteger(kept), isMore: asInteger(more) === 1 };
  };
}

function readFound(reply: unknown): OrderJson {
  const [id, json] = asList(reply);
  return toOrderJson(asText(id), asText(json));
}

function readChange(done: string, kind: string, rest: readonly unknown[]): ChangeOutcome {
  if (kind !== done) return readRefusal(`a script that should answer ${done}`, kind, rest);
  return { kind: "changed", order: readFound(rest) };
}

function readRefusal(script: string, kind: string, [status, barista]: readonly unknown[]): Refusal {
  if (kind === "unknown") return { kind };
  if (kind === "conflict") return { kind, status: asText(status) as Status, barista: asText(barista) };
  throw unexpected(script, kind);
}

function readShopRefusal(script: string, kind: string, [why, subject]: readonly unknown[]): ShopRefusal {
  const known = WHY_REFUSED.find((each) => each === why);
  if (kind !== "refused" || !known) throw unexpected(script, kind);
  return { kind, why: known, subject: asText(subject) };
}

function mayHaveRun(error: unknown): boolean {
  return error instanceof RedisAwayError && error.mayHaveRun;
}

function unexpected(script: string, kind: string): TypeError {
  return new TypeError(`${script} answered ${kind}`);
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
