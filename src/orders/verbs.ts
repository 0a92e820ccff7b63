/**
 * Owns the verbs of an order: each one is one Lua script, and all calls of a tick travel together.
 * Always holds: outcomes that can be expected are values; only Redis being away or a broken script rejects.
 */
import { RedisAwayError } from "../redis/away.ts";
import type { ShopRedis } from "../redis/connections.ts";
import { asInteger, asList, asText } from "../redis/reply.ts";
import { batched, loadScript, type RunScript } from "../redis/script.ts";
import { readDescribedOrder, readOrder, type Draft, type Order, type Reason, type Status } from "./order.ts";

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

/** `placed`: the order is queued. `joined`: the key was used with the same body; the id is the first order's. `mismatch`: with another. */
export type PlaceOutcome =
  | { readonly kind: "placed" | "joined"; readonly orderId: string }
  | { readonly kind: "mismatch" };

/** A barista's wish for an order. The same `claim` (UUID, made by the caller) gets the same order. */
export interface Claim {
  readonly claim: string;
  readonly barista: string;
  readonly queue: string;
  /** Whether a barista who got no answer may ask again with the same claim: then the order stays theirs. */
  readonly mayReturn?: boolean;
}

export type StartOutcome = { readonly kind: "started"; readonly order: Order } | { readonly kind: "empty" };

/** `conflict`: the order's state does not allow the verb; `barista` is who holds or held it, or empty. */
export type Refusal =
  | { readonly kind: "unknown" }
  | { readonly kind: "conflict"; readonly status: Status; readonly barista: string };
export type ChangeOutcome = { readonly kind: "changed"; readonly order: Order } | Refusal;

/** Which order, and whose: `barista` undefined means whoever holds it. */
export interface Change {
  readonly orderId: string;
  readonly barista?: string | undefined;
}

export interface Cancellation extends Change {
  readonly canceller: "customer" | "barista";
  readonly reason: Reason;
}

export type FindOutcome = { readonly kind: "found"; readonly order: Order } | { readonly kind: "unknown" };

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
  | { readonly kind: "page"; readonly orders: readonly Order[]; readonly cursor?: string }
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
    encode: ({ orderId, queue, draft, idempotencyKey = "" }) => [
      orderId,
      queue,
      draft.item ?? "americano",
      draft.note ?? "",
      draft.customer_id ?? "",
      draft.customer_name ?? "",
      idempotencyKey,
      idempotencyKey && hashOf(draft),
    ],
    decode: (kind, [orderId]) => {
      if (kind === "placed" || kind === "joined") return { kind, orderId: asText(orderId) };
      if (kind === "mismatch") return { kind };
      throw unexpected("place-order", kind);
    },
  });

  const start = batched<Claim, StartOutcome>(run, {
    script: loadScript("start-order"),
    shared: [leaseMs, maxAttempts, retentionMs],
    encode: ({ claim, barista, queue }) => [claim, barista, queue],
    decode: (kind, [id, json]) => {
      if (kind === "empty") return { kind };
      if (kind === "started") return { kind, order: readOrder(id, json) };
      throw unexpected("start-order", kind);
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

    /**
     * Gives the barista the order whose lease ran out first, else the oldest queued one. When Redis does not answer in time
     * the claim is dropped once it does, unless the barista may come back with it.
     */
    start: async ({ mayReturn = false, ...claim }: Claim): Promise<StartOutcome> => {
      try {
        return await start(claim);
      } catch (error) {
        if (mayHaveRun(error) && !mayReturn) later(() => dropClaim(claim.claim));
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
      decode: (kind, [order]) => {
        if (kind === "unknown") return { kind };
        if (kind === "found") return { kind, order: readDescribedOrder(order) };
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
    return { kind: "page", orders: orders.map(readDescribedOrder), ...(next ? { cursor: asText(next) } : undefined) };
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

/** Cancels orders whose last lease ran out and offers the others. Resolves to the ms until the next lease runs out, or null. */
function createExpire(run: RunScript, maxAttempts: number, retentionMs: number) {
  const script = loadScript("expire-leases");
  return async (): Promise<{ nextMs: number | null; cancelled: number }> => {
    const [nextMs, cancelled] = asList(await run(script, [maxAttempts, retentionMs]));
    return { nextMs: asInteger(nextMs) < 0 ? null : asInteger(nextMs), cancelled: asInteger(cancelled) };
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

function readChange(done: string, kind: string, [first, second]: readonly unknown[]): ChangeOutcome {
  if (kind === done) return { kind: "changed", order: readOrder(first, second) };
  if (kind === "unknown") return { kind };
  if (kind === "conflict") return { kind, status: asText(first) as Status, barista: asText(second) };
  throw unexpected(`a script that should answer ${done}`, kind);
}

function mayHaveRun(error: unknown): boolean {
  return error instanceof RedisAwayError && error.mayHaveRun;
}

function unexpected(script: string, kind: string): TypeError {
  return new TypeError(`${script} answered ${kind}`);
}

/** The same for bodies that mean the same: defaults filled in, fields in a fixed order. */
function hashOf({ item = "americano", note = "", customer_id = "", customer_name = "" }: Draft): string {
  const canonical = JSON.stringify([item, note, customer_id, customer_name]);
  return new Bun.CryptoHasher("sha256").update(canonical).digest("base64url");
}
