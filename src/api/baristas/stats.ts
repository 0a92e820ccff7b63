/**
 * Owns the baristas' route of stats.
 *
 * **Invariants**
 * - A range is bounded, and an answer is of all that happened before it was asked for.
 */
import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { DATE_OR_TIME } from "../../formats.ts";
import { documented } from "../../http/documented.ts";
import { createQueryReader } from "../../http/input.ts";
import { answerJson } from "../../http/json.ts";
import { oneOf } from "../../orders/order.ts";
import { GROUPINGS, type Stats, type StatsWanted } from "../../stats/stats.ts";
import { FIGURES_EXAMPLE } from "../../stats/tally.ts";
import { ROW_EXAMPLE, StatsView, toRow } from "../../stats/view.ts";
import { csvHeaders } from "./csv.ts";
import { toCsv } from "./stats-csv.ts";
import { MAX_DAYS, MAX_DAYS_BY_HOUR, readStatsRange } from "./stats-range.ts";

const Bound = Type.String({
  format: DATE_OR_TIME,
  description: "a day (UTC) such as 2026-11-20, or a time such as 2026-11-20T09:00:00Z",
});

const StatsQuery = Type.Object({
  from: Type.Optional(Bound),
  to: Type.Optional(Bound),
  by: Type.Optional(oneOf(GROUPINGS)),
  format: Type.Optional(oneOf(["json", "csv"])),
});

export interface StatsDependencies {
  readonly readStats: (wanted: StatsWanted) => Promise<Stats>;
}

export function statsRoutes(dependencies: StatsDependencies) {
  return new Elysia().get("/stats", createFindStats(dependencies), FIND_STATS);
}

function createFindStats({ readStats }: StatsDependencies) {
  const readQuery = createQueryReader(StatsQuery);

  return async ({ request }: { request: Request }): Promise<Response> => {
    const { from, to, by, format } = readQuery(request);
    const range = readStatsRange({ from, to, by });
    const stats = await readStats({ ...range, by });
    if (format === "csv") return answerCsv(toCsv(stats, by), by);
    return answerJson(JSON.stringify(toView(stats, { ...range, by })));
  };
}

function toView({ countedMs, total, rows }: Stats, { fromMs, toMs, by }: StatsWanted) {
  return {
    from: timeOf(fromMs),
    to: timeOf(toMs),
    by: by ?? null,
    counted_until: countedMs === null ? null : timeOf(countedMs),
    total,
    rows: rows.map(toRow),
  };
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}

function answerCsv(csv: string, by: StatsWanted["by"]): Response {
  return new Response(csv, { headers: csvHeaders(by === undefined ? "stats" : `stats-by-${by}`) });
}

const CSV_EXAMPLE = toCsv({ countedMs: null, total: FIGURES_EXAMPLE, rows: [ROW_EXAMPLE] }, "hour");

const FIND_STATS = documented({
  query: StatsQuery,
  tag: "Stats",
  operationId: "findStats",
  summary: "How did it go?",
  description:
    "What was placed, completed, cancelled and paid at the counter, how long orders waited, and how long they were made. " +
    `Today's without \`from\` and \`to\` (UTC); at most ${MAX_DAYS} days, ${MAX_DAYS_BY_HOUR} by hour. With \`format=csv\` as CSV.`,
  answers: {
    200: { description: "The figures, in all and by `by`.", schema: StatsView, texts: { "text/csv": CSV_EXAMPLE } },
  },
  problems: ["unauthorized", "invalid_input", "redis_away", "closing"],
});
