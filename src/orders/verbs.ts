/**
 * Owns the verbs of an order: each one is one Lua script, and all calls of a tick travel together.
 * Always holds: outcomes that can be expected are values; only Redis being away or a broken script rejects.
 */
import type { ShopRedis } from "../redis/connections.ts";
import { asText } from "../redis/reply.ts";
import { batched, loadScript } from "../redis/script.ts";
import { createAdmission } from "./admission.ts";
import { createLookups } from "./lookups.ts";
import { toOrderJson, type CancelReason, type OrderJson } from "./order.ts";
import { mayHaveRun, readChange, readRefusal, type ChangeOutcome, type Refusal } from "./outcomes.ts";
import { createUpkeep } from "./upkeep.ts";

/** Where customers' orders go, and where baristas look who name no queue. */
export const DEFAULT_QUEUE = "default";

export interface OrderSettings {
  readonly leaseSeconds: number;
  /** How many leases of one order may run out before it is cancelled. */
  readonly maxAttempts: number;
  readonly retentionHours: number;
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

export type StartOutcome =
  | { readonly kind: "started"; readonly orderId: string; readonly order: OrderJson }
  | { readonly kind: "empty" }
  | Refusal;

/** Which order, and whose: `barista` undefined means whoever holds it. */
export interface Change {
  readonly orderId: string;
  readonly barista?: string | undefined;
}

export interface Cancellation extends Change {
  readonly canceller: "customer" | "barista";
  readonly reason: CancelReason;
}

export type Orders = ReturnType<typeof createOrders>;

export function createOrders(
  redis: Pick<ShopRedis, "run" | "later">,
  { leaseSeconds, maxAttempts, retentionHours }: OrderSettings,
) {
  const { run, later } = redis;
  const leaseMs = leaseSeconds * 1000;
  const retentionMs = retentionHours * 3_600_000;

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
    ...createAdmission(redis, {
      retentionMs,
      takeBack: (orderId) => cancel({ orderId, canceller: "customer", reason: "customer_timeout" }),
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

    ...createLookups(run),
    ...createUpkeep(run, { maxAttempts, retentionMs, leaseMs }),
  };
}
