/**
 * Owns how the stats of a day become what charts and tables show: a value an hour.
 *
 * **Invariants**
 * - An hour that has not begun has no value: it is not zero.
 */
import type { StatsView } from "../../stats/view.ts";

export const HOURS = 24;

type Figures = StatsView["total"];

export interface Day {
  /** Its midnight, as this device has it. */
  readonly fromMs: number;
  /** By hour of the day, 24 of them. Of an hour that comes twice, as clocks are put back, the second is shown. */
  readonly hours: readonly (Figures | undefined)[];
  readonly total: Figures;
}

export function dayOf({ rows, total }: StatsView, fromMs: number): Day {
  const hours: (Figures | undefined)[] = Array.from({ length: HOURS }, () => undefined);
  for (const { name, ...figures } of rows) {
    const begun = new Date(name);
    // (Where a time zone is off by half an hour, the first one begins the evening before.)
    if (begun.getTime() >= fromMs) hours[begun.getHours()] = figures;
  }
  return { fromMs, hours, total };
}

export interface Measure {
  readonly title: string;
  readonly kind: "bars" | "lines";
  readonly series: readonly { readonly words: string; readonly valueOf: (figures: Figures) => number | null }[];
  /** `currency` is for money alone. */
  readonly format: (value: number, formatMoney: (cents: number) => string) => string;
}

export const MEASURES: readonly Measure[] = [
  {
    title: "Orders",
    kind: "bars",
    series: [{ words: "", valueOf: ({ placed }) => placed }],
    format: (value) => String(value),
  },
  {
    title: "Wait until started",
    kind: "lines",
    series: [
      { words: "median", valueOf: ({ wait }) => wait.median_seconds },
      { words: "95 % under", valueOf: ({ wait }) => wait.p95_seconds },
    ],
    format: (value) => sayWait(value),
  },
  {
    title: "Revenue",
    kind: "bars",
    series: [{ words: "", valueOf: ({ revenue }) => revenue }],
    format: (value, formatMoney) => formatMoney(value),
  },
];

/** 0.4 s, 38 s, 2:05 min */
export function sayWait(seconds: number): string {
  if (seconds < 10) return `${Number(seconds.toFixed(1))} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")} min`;
}

/** The values of a measure's series for one day, an hour each. */
export function valuesOf(day: Day | undefined, valueOf: (figures: Figures) => number | null): (number | null)[] {
  return Array.from({ length: HOURS }, (_, hour) => {
    const figures = day?.hours[hour];
    return figures ? valueOf(figures) : null;
  });
}

/** Up to the same time of day: what of yesterday compares with today so far, its whole last hour included. */
export function soFar(yesterday: Day, today: Day): number {
  const begun = today.hours.findLastIndex((figures) => figures !== undefined);
  const hours = yesterday.hours.slice(0, begun + 1);
  return hours.reduce((total, figures) => total + (figures?.placed ?? 0), 0);
}
