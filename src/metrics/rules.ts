/**
 * Owns the metrics of rules: what this server delivered, and how far the shop's servers are.
 *
 * **Invariants**
 * - Rules are named in the file, so their labels are bounded.
 */
import type { Log } from "../log.ts";
import type { CountedRule, Rules, RuleState } from "../rules/rules.ts";
import { DELIVERY_RESULTS } from "../rules/tally.ts";
import type { Family, Sample } from "./family.ts";
import { createMeasuring } from "./measuring.ts";

/** Makes the measuring; undefined: Redis does not answer in time, or the rules can't be measured. */
export function createMeasureRules(rules: Rules, log: Log): () => Promise<readonly RuleState[] | undefined> {
  return createMeasuring(
    () => rules.list(),
    (error) => log.warn({ err: error }, "rules can't be measured for metrics"),
  );
}

export function describeCounted(counted: readonly CountedRule[]): Family[] {
  if (counted.length === 0) return [];
  return [
    {
      kind: "counter",
      name: "longpour_rule_deliveries_total",
      help: "Tries of this server to deliver events of a rule: delivered or failed; and events that became dead letters.",
      samples: counted.flatMap(({ name: rule, tally }) =>
        DELIVERY_RESULTS.map((outcome): Sample => ({ labels: { rule, outcome }, value: tally.results[outcome] })),
      ),
    },
    {
      kind: "histogram",
      name: "longpour_rule_delivery_seconds",
      help: "How long a try to deliver took.",
      series: counted.map(({ name: rule, tally }) => ({ labels: { rule }, histogram: tally.seconds })),
    },
    {
      kind: "counter",
      name: "longpour_rule_lost_events_total",
      help: "Events that were no longer kept when this server came to them for a rule.",
      samples: counted.map(({ name: rule, tally }) => ({ labels: { rule }, value: tally.lost })),
    },
  ];
}

export function describeStates(states: readonly RuleState[]): Family[] {
  const gauge = (name: string, help: string, valueOf: (state: RuleState) => number): Family => ({
    kind: "gauge",
    name,
    help,
    samples: states.map((state) => ({ labels: { rule: state.rule.name }, value: valueOf(state) })),
  });
  return [
    gauge("longpour_rule_lag_events", "Events of the shop that a rule has yet to deal with.", ({ lag }) => lag),
    gauge(
      "longpour_rule_dead_deliveries",
      "Dead letters of a rule, as GET /rules/:name/dead lists them.",
      ({ dead }) => dead,
    ),
    gauge("longpour_rule_ended", "Whether a rule has ended, as its target wants no more: 1 or 0.", ({ ended }) =>
      ended ? 1 : 0,
    ),
  ];
}
