/**
 * Owns what stands in the board's columns, and how much room each order gets.
 * Always holds: those being made come before those that wait; the newest ready ones come first and leave after ten minutes.
 */
import { secondsSince } from "../shared/clock.ts";
import { inState, READY_SHOWN_SECONDS, type FloorOrder } from "../shared/staff/floor.ts";

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

/** What a column of the board has room for. */
export interface Room {
  /** Rows of tiles, at least, so that one order is no wall of a number, and at most. */
  readonly rows: readonly [number, number];
  /** Tiles beside one another, at most. */
  readonly columns: number;
  /** Numbers below the tiles; more would be too small to read. */
  readonly numbers: number;
}

export const WIDE: Room = { rows: [5, 6], columns: 2, numbers: 14 };
export const TALL: Room = { rows: [5, 6], columns: 1, numbers: 9 };

export function gridOf(count: number, { rows: [fewest, most], columns: widest }: Omit<Room, "numbers">): Grid {
  const columns = Math.min(widest, Math.max(1, Math.ceil(count / most)));
  const shown = Math.min(count, columns * most);
  const rows = Math.min(most, Math.max(fewest, Math.ceil(shown / columns)));
  return { columns, rows, shown };
}
