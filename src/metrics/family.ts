/**
 * Owns what a metric is before it is written: its name, its help, and its values by label.
 *
 * **Invariants**
 * - The labels of a metric are the same in all of its values.
 * - No label holds words of customers or baristas.
 */
import type { Histogram } from "../histogram.ts";
import type { Tally } from "../tally.ts";

export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  readonly labels?: Labels | undefined;
  readonly value: number;
}

/** `name` says the unit, in base units, and that of a counter ends with `_total`. */
export type Family = { readonly name: string; readonly help: string } & (
  | { readonly kind: "counter" | "gauge"; readonly samples: readonly Sample[] }
  | {
      readonly kind: "histogram";
      readonly series: readonly { readonly labels?: Labels; readonly histogram: Histogram }[];
    }
);

/** A sample a name: of each of `names`, counted or not, then of whatever else was counted. */
export function samplesOf(tally: Tally, names: readonly string[], label: string): Sample[] {
  const all = new Set([...names, ...tally.counts.keys()]);
  return Array.from(all, (name) => ({ labels: { [label]: name }, value: tally.counts.get(name) ?? 0 }));
}
