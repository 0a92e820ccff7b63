/**
 * Owns what stands in the board's columns, and how much room each order gets.
 * Always holds: those being made come before those that wait; the newest ready ones come first and leave after ten minutes.
 */
import { secondsSince } from "../shared/staff/clock.ts";
import { inState, type FloorOrder } from "../shared/staff/floor.ts";

const READY_SHOWN_SECONDS = 600;

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
export function tookSeconds({ placed_at, finished_at }: FloorOrder): number {
  return finished_at === undefined ? 0 : secondsSince(placed_at, Date.parse(finished_at));
}

/** A grid that holds the first `shown` of some tiles in one screen's height. */
export interface Grid {
  readonly columns: number;
  readonly rows: number;
  readonly shown: number;
}

interface GridLimits {
  /** Rows that a grid has at least, so that one order is no wall of a number, and at most. */
  readonly rows: readonly [number, number];
  readonly columns: number;
}

export function gridOf(count: number, { rows: [fewest, most], columns: widest }: GridLimits): Grid {
  const columns = Math.min(widest, Math.max(1, Math.ceil(count / most)));
  const shown = Math.min(count, columns * most);
  const rows = Math.min(most, Math.max(fewest, Math.ceil(shown / columns)));
  return { columns, rows, shown };
}
