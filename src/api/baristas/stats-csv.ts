/**
 * Owns how stats are written as CSV: a line a row, or one for all where they are by nothing.
 *
 * **Invariants**
 * - The columns are always the same, in the same order; the first is named by what the rows are by.
 */
import type { Stats, StatsWanted } from "../../stats/stats.ts";
import type { Figures } from "../../stats/tally.ts";
import { toLine, type Cell } from "./csv.ts";

/** The columns behind the name. */
function cellsOf({ placed, completed, cancelled, revenue, payments, wait, brew }: Figures): Record<string, Cell> {
  const reasons = Object.entries(cancelled).map(([reason, count]) => [`cancelled_${reason}`, count]);
  return {
    placed,
    completed,
    ...(Object.fromEntries(reasons) as Record<string, number>),
    revenue_cents: revenue,
    captured_cents: payments.captured,
    refunded_cents: payments.refunded,
    waits: wait.count,
    wait_median_seconds: wait.median_seconds,
    wait_p95_seconds: wait.p95_seconds,
    brews: brew.count,
    brew_median_seconds: brew.median_seconds,
    brew_p95_seconds: brew.p95_seconds,
  };
}

export function toCsv({ total, rows }: Stats, by: StatsWanted["by"]): string {
  const shown = by === undefined ? [{ name: "total", figures: total }] : rows;
  const head = [by ?? "name", ...Object.keys(cellsOf(total))];
  const lines = shown.map(({ name, figures }) => [name, ...Object.values(cellsOf(figures))]);
  return [head, ...lines].map(toLine).join("");
}
