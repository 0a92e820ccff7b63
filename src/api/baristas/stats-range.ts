/**
 * Owns which hours are meant by `from` and `to` of stats.
 *
 * **Invariants**
 * - A range is of full hours (UTC), and bounded.
 * - A date is the whole day: as `to`, up to its end.
 */
import { InvalidInputError } from "../../problem.ts";
import type { Grouping } from "../../stats/stats.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** As long as stats are kept. */
export const MAX_DAYS = 400;
/** Rows by hour are 744 at most. */
export const MAX_DAYS_BY_HOUR = 31;

interface Wanted {
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly by?: Grouping | undefined;
}

/** Without `to`: up to now. Without `from`: from the beginning of the day before `to`. Throws a ProblemError. */
export function readStatsRange({ from, to, by }: Wanted): { readonly fromMs: number; readonly toMs: number } {
  const toMs = Math.ceil((to === undefined ? Date.now() + 1 : endOf(to)) / HOUR_MS) * HOUR_MS;
  const fromMs =
    from === undefined ? Math.floor((toMs - 1) / DAY_MS) * DAY_MS : Math.floor(Date.parse(from) / HOUR_MS) * HOUR_MS;
  if (fromMs >= toMs) throw new InvalidInputError([{ field: "from", detail: `must be before ${sayEnd(to)}` }]);
  const [days, grouping] = by === "hour" ? [MAX_DAYS_BY_HOUR, " by hour"] : [MAX_DAYS, ""];
  if (toMs - fromMs > days * DAY_MS) {
    throw new InvalidInputError([
      { field: "from", detail: `must be at most ${days} days before ${sayEnd(to)}${grouping}` },
    ]);
  }
  return { fromMs, toMs };
}

function sayEnd(to: string | undefined): string {
  return to === undefined ? "now" : "`to`";
}

function endOf(text: string): number {
  const ms = Date.parse(text);
  return text.includes(":") ? ms : ms + DAY_MS;
}
