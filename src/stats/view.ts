/**
 * Owns how stats look on the wire. Pages take their type from here.
 *
 * **Invariants**
 * - What a route answers is what this schema says.
 */
import { Type, type Static } from "@sinclair/typebox";
import { DATE_TIME } from "../formats.ts";
import { oneOf } from "../orders/order.ts";
import { GROUPINGS, type StatsRow } from "./stats.ts";
import { Figures, FIGURES_EXAMPLE } from "./tally.ts";

const Row = Type.Object(
  {
    name: Type.String({
      description: "an hour as a time, a day as a date, a coffee's id, or a barista; `other`: all others",
    }),
    ...Figures.properties,
  },
  { $id: "StatsRow", additionalProperties: false },
);

export const ROW_EXAMPLE: StatsRow = { name: "2026-11-20T09:00:00.000Z", figures: FIGURES_EXAMPLE };

export const StatsView = Type.Object(
  {
    from: Type.String({ format: DATE_TIME, description: "a full hour" }),
    to: Type.String({ format: DATE_TIME, description: "a full hour, which is not of the range" }),
    by: Type.Union([oneOf(GROUPINGS), Type.Null()]),
    counted_until: Type.Union([Type.String({ format: DATE_TIME }), Type.Null()], {
      description: "when the last event was that is counted; null: none was",
    }),
    total: Figures,
    rows: Type.Array(Row, { description: "none without `by`" }),
  },
  {
    $id: "Stats",
    additionalProperties: false,
    examples: [
      {
        from: "2026-11-20T09:00:00.000Z",
        to: "2026-11-20T10:00:00.000Z",
        by: "hour",
        counted_until: "2026-11-20T10:04:31.207Z",
        total: FIGURES_EXAMPLE,
        rows: [toRow(ROW_EXAMPLE)],
      },
    ],
  },
);
export type StatsView = Static<typeof StatsView>;

export function toRow({ name, figures }: StatsRow) {
  return { name, ...figures };
}
