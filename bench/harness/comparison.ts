/**
 * Owns comparisons: variants that are measured in turn, A B A B …, so that a machine that drifts drifts for all of
 * them.
 *
 * **Invariants**
 * - Goals are judged by ratios within a round, never between rounds.
 */
import { median } from "./stretch.ts";

/** The figures of one run, by metric. */
export type Sample = Readonly<Record<string, number>>;

/** Where a variant stands: rows of the same group are compared. */
type Cell = { readonly group: string; readonly name: string };

type Variant = Cell & { readonly measure: () => Promise<Sample> };

/** A variant's runs, one a round. */
export type Series = Cell & { readonly samples: readonly Sample[] };

/** Shown with so many digits after the point. */
type Metric = { readonly key: string; readonly label: string; readonly digits: number };

/** A bound on a metric of `of`, or, with `to`, on its ratio to that of `to`. */
interface Goal {
  readonly what: string;
  readonly metric: string;
  readonly of: Cell;
  readonly to?: Cell;
  readonly atLeast?: number;
  readonly atMost?: number;
}

/** A bar or a line for each name, at each group. */
export type ChartSpec = Readonly<{ file: string; title: string; metric: Metric; kind: "bar" | "line" }>;

export interface Comparison {
  readonly title: string;
  /** What the groups are, as the head of their column. */
  readonly groupLabel: string;
  readonly metrics: readonly Metric[];
  readonly series: readonly Series[];
  readonly goals: readonly Goal[];
  readonly charts: readonly ChartSpec[];
}

/** What a scenario found. Remarks say what was left out, and what a reader has to know. */
export type Finding = { readonly comparisons: readonly Comparison[]; readonly remarks: readonly string[] };

/** What every scenario is given. */
export interface Settings {
  readonly rounds: number;
  /** Length of a measured stretch. */
  readonly seconds: number;
  /** Everything small, only to see that it works. */
  readonly isQuick: boolean;
  /** Says which run begins, of how many of the scenario. */
  readonly onRun: (run: { readonly text: string; readonly index: number; readonly total: number }) => void;
}

export function barChart(file: string, title: string, metric: Metric): ChartSpec {
  return { file, title, metric, kind: "bar" };
}

/** How a size is shown. */
export function sizeLabel(size: number): string {
  return size.toLocaleString("en");
}

/** Measures every variant once a round, in turn. */
export async function measureInTurn(variants: readonly Variant[], settings: Settings): Promise<Series[]> {
  const series = variants.map(({ group, name }) => ({ group, name, samples: [] as Sample[] }));
  const total = variants.length * settings.rounds;
  for (let index = 0; index < total; index++) {
    const round = Math.floor(index / variants.length) + 1;
    const { group, name, measure } = variants[index % variants.length] as Variant;
    const text = `${group}, ${name}, round ${round} of ${settings.rounds}`;
    settings.onRun({ text, index, total });
    try {
      series[index % variants.length]?.samples.push(await measure());
    } catch (cause) {
      throw new Error(`${text}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    }
  }
  return series;
}

/** Judges a comparison's goals; `values` are one a round. */
export function judge({ goals, series }: Comparison) {
  return goals.map(({ what, metric, of, to, atLeast, atMost }) => {
    const base = to && valuesOf(series, to, metric);
    const values = valuesOf(series, of, metric).map((value, round) => (base ? value / (base[round] ?? NaN) : value));
    const measured = median(values);
    const isReached = measured >= (atLeast ?? -Infinity) && measured <= (atMost ?? Infinity);
    const bound = atLeast === undefined ? `at most ${atMost}` : `at least ${atLeast}`;
    return { what, bound: to ? `${bound} ×` : bound, values, measured, isReached };
  });
}

/** A metric of one variant, one value a round. */
export function valuesOf(series: readonly Series[], { group, name }: Cell, metric: string): number[] {
  const found = series.find((one) => one.group === group && one.name === name);
  return found?.samples.map((sample) => sample[metric] ?? NaN) ?? [];
}
