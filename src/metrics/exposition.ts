/**
 * Owns how metrics are written, by prom-client. Loaded by the first scrape.
 *
 * **Invariants**
 * - Each scrape has a registry of its own: servers of one process share nothing, and nothing is counted in it.
 */
import { Counter, Gauge, Histogram as PromHistogram, Registry, type RegistryContentType } from "prom-client";
import type { Histogram } from "../histogram.ts";
import type { Family, Labels, Sample } from "./family.ts";
import type { Exposition, Format } from "./metrics.ts";

export async function writeFamilies(families: readonly Family[], format: Format): Promise<Exposition> {
  const registry = new Registry();
  // (Its type can't change the format of a registry that is there.)
  const { OPENMETRICS_CONTENT_TYPE: openmetrics } = Registry;
  if (format === "openmetrics") (registry as Registry<RegistryContentType>).setContentType(openmetrics);
  for (const family of families) register(family, registry);
  return { text: await registry.metrics(), contentType: registry.contentType };
}

function register(family: Family, registry: Registry): void {
  if (family.kind === "histogram") {
    registry.registerMetric(new CountedHistogram(family));
    return;
  }
  const { name, help, samples } = family;
  // (prom-client would write a 0 for it.)
  if (samples.length === 0) return;
  const labelNames = labelNamesOf(samples);
  const registers = [registry];
  if (family.kind === "gauge") {
    const gauge = new Gauge({ name, help, labelNames, registers });
    for (const { labels = {}, value } of samples) gauge.set(labels, value);
  } else {
    const counter = new Counter({ name, help, labelNames, registers });
    for (const { labels = {}, value } of samples) counter.inc(labels, value);
  }
}

function labelNamesOf(samples: readonly { readonly labels?: Labels | undefined }[]): string[] {
  return Object.keys(samples[0]?.labels ?? {});
}

type HistogramFamily = Extract<Family, { kind: "histogram" }>;

/** One that was counted elsewhere: prom-client's own can only observe. */
class CountedHistogram extends PromHistogram {
  readonly #family: HistogramFamily;

  constructor(family: HistogramFamily) {
    const { name, help, series } = family;
    super({ name, help, labelNames: labelNamesOf(series), registers: [] });
    this.#family = family;
  }

  /** What registries ask of a histogram, which its type does not say: the version is pinned, and a test reads it. */
  getForPromString() {
    const { name, help, series } = this.#family;
    const values = series.flatMap(({ labels = {}, histogram }) => samplesOf(name, labels, histogram));
    return Promise.resolve({ name, help, type: "histogram", values });
  }
}

interface NamedSample extends Sample {
  readonly metricName: string;
  readonly labels: Labels;
}

/** Buckets count what is in those below, too. */
function samplesOf(name: string, labels: Labels, { bounds, counts, sum }: Histogram): NamedSample[] {
  let count = 0;
  const buckets = counts.map((own, index) => {
    count += own;
    return { metricName: `${name}_bucket`, labels: { le: String(bounds[index] ?? "+Inf"), ...labels }, value: count };
  });
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: count },
  ];
}
