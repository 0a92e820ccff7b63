/** The alerts: each fires when it should, is quiet when it should, and leads to a section that says what to do. */
import { join } from "node:path";
import { expect, test } from "bun:test";
import { promtool, promtoolOn, prometheusFolder } from "../support/prometheus.ts";
import { ALERT_CASES, type AlertCase, type Series } from "./alert-cases.ts";
import { ALERT_FILES, ALERTS, readShipped, ROOT, type Rule } from "./files.ts";

test("each alert has a case, a severity and a time that it has to last", () => {
  expect(ALERT_CASES.map(({ alert }) => alert).toSorted()).toEqual(ALERTS.map(({ alert }) => alert).toSorted());
  for (const rule of ALERTS) {
    expect(["critical", "warning"]).toContain(rule.labels.severity);
    expect(rule.for).toMatch(/^\d+[smh]$/);
  }
});

test.each(ALERTS.map(({ alert, annotations }) => [alert, annotations.runbook_url] as const))(
  "%s leads to what it means, how to look and what to do",
  (alert, runbook) => {
    const [path = "", anchor = ""] = runbook.split("#");
    const sections = readShipped(path).split(/^### /m);
    const section = sections.find((text) => text.slice(0, text.indexOf("\n")).toLowerCase() === anchor) ?? "";
    expect(section).toContain(alert);
    for (const part of ["**Means.** ", "**Look.** ", "**Do.** "]) expect(section).toContain(part);
  },
);

test.skipIf(prometheusFolder === undefined)("promtool reads the rules", async () => {
  const files = ALERT_FILES.map((path) => join(ROOT, path));
  expect(await promtool(["check", "rules", ...files])).toMatchObject({ exitCode: 0 });
});

/** No alert has been on for as long as its `for` by then; each has by the other time. */
const SOON = "15s";
const AFTER = "1h";

interface Expected {
  readonly eval_time: string;
  readonly alertname: string;
  readonly exp_alerts: readonly object[];
}

function describeTest(name: string, series: Series, expected: readonly Expected[]) {
  const input = Object.entries(series).map(([of, values]) => ({ series: of, values }));
  return { name, interval: "30s", input_series: input, alert_rule_test: expected };
}

function testsOf({ alert, fires, quiet, labels, summary }: AlertCase, rule: Rule) {
  const firing = {
    exp_labels: { ...labels, ...rule.labels },
    exp_annotations: { summary, runbook_url: rule.annotations.runbook_url },
  };
  const fired: Expected = { eval_time: AFTER, alertname: alert, exp_alerts: [firing] };
  const notYet: Expected = { eval_time: SOON, alertname: alert, exp_alerts: [] };
  const not: Expected = { eval_time: AFTER, alertname: alert, exp_alerts: [] };
  return [describeTest(`${alert} fires`, fires, [notYet, fired]), describeTest(`${alert} is quiet`, quiet, [not])];
}

/** What promtool says of the tests of these alerts. */
async function runCases(cases: readonly AlertCase[]): Promise<{ exitCode: number; output: string }> {
  const tests = cases.flatMap((given) => {
    const rule = ALERTS.find(({ alert }) => alert === given.alert);
    return rule ? testsOf(given, rule) : [];
  });
  const rule_files = ALERT_FILES.map((path) => join(ROOT, path));
  return await promtoolOn(["test", "rules"], { rule_files, evaluation_interval: "1m", tests });
}

test.skipIf(prometheusFolder === undefined)("each alert fires and is quiet as it should", async () => {
  const { exitCode, output } = await runCases(ALERT_CASES);
  expect(exitCode === 0 ? "" : output).toBe("");
});

test.skipIf(prometheusFolder === undefined)("an alert that fires where it should be quiet is found", async () => {
  const [first] = ALERT_CASES;
  if (!first) throw new Error("no case");
  expect((await runCases([{ ...first, quiet: first.fires }])).output).toContain("is quiet");
  expect((await runCases([{ ...first, fires: first.quiet }])).output).toContain("fires");
});
