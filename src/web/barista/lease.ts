/**
 * Owns how long an order is still its barista's.
 *
 * **Invariants**
 * - A page that was loaded again counts from the order's start.
 * - So it warns too early rather than too late.
 */
import type { FloorOrder } from "../shared/staff/floor.svelte.ts";

/** `out`: the next who takes an order may be given this one. */
type LeaseLevel = "long" | "soon" | "out";

export interface Lease {
  readonly remainingSeconds: number;
  /** Of the whole lease, 1 to 0. */
  readonly share: number;
  readonly level: LeaseLevel;
}

/** The order that "next" gives: the one whose lease ran out first, one's own included, else the oldest queued one. */
export function nextOf(
  brewing: readonly FloorOrder[],
  queue: readonly FloorOrder[],
  { leaseSeconds, nowMs }: { readonly leaseSeconds: number | undefined; readonly nowMs: number },
): FloorOrder | undefined {
  if (leaseSeconds === undefined) return queue[0];
  const out = brewing.filter((order) => leaseOf(order, leaseSeconds, nowMs).level === "out");
  const [first] = out.toSorted((one, other) => (one.leasedMs ?? 0) - (other.leasedMs ?? 0));
  return first ?? queue[0];
}

const SOON_SECONDS = 120;
/** A short lease is not always about to run out. */
const SOON_SHARE = 0.4;

export function leaseOf({ leasedMs = 0 }: FloorOrder, leaseSeconds: number, nowMs: number): Lease {
  const remainingSeconds = Math.max(0, leaseSeconds - (nowMs - leasedMs) / 1000);
  const isSoon = remainingSeconds <= Math.min(SOON_SECONDS, leaseSeconds * SOON_SHARE);
  const level = remainingSeconds === 0 ? "out" : isSoon ? "soon" : "long";
  return { remainingSeconds, share: Math.min(1, remainingSeconds / leaseSeconds), level };
}
