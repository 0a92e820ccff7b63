/**
 * Owns what stands in the board's columns.
 *
 * **Invariants**
 * - Those being made come before those that wait.
 * - The newest ready ones come first, and leave after ten minutes.
 */
import { secondsSince, waitsSince } from "../shared/clock.ts";
import { inState, READY_SHOWN_SECONDS, type FloorOrder } from "../shared/staff/floor.svelte.ts";

export interface Columns {
  readonly preparing: readonly FloorOrder[];
  readonly ready: readonly FloorOrder[];
}

export function columnsOf(orders: readonly FloorOrder[], nowMs: number): Columns {
  const ready = orders.filter(
    ({ status, finished_at = "" }) => status === "ready" && secondsSince(finished_at, nowMs) < READY_SHOWN_SECONDS,
  );
  return {
    preparing: [...inState(orders, "brewing"), ...inState(orders, "queued")],
    ready: ready.toSorted((one, other) => (other.finished_at ?? "").localeCompare(one.finished_at ?? "")),
  };
}

/** Seconds from placed to ready. */
export function tookSeconds(order: FloorOrder): number {
  const { finished_at } = order;
  return finished_at === undefined ? 0 : secondsSince(waitsSince(order), Date.parse(finished_at));
}
