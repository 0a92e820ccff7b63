/** The queries of the dashboard and of the alerts: each asks for what there is, and a real Prometheus answers it. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { ask, brew, expectStatus, order, place } from "../support/http.ts";
import { promtoolOn, prometheusFolder, TestPrometheus } from "../support/prometheus.ts";
import { startServer, stopServers } from "../support/server.ts";
import { until } from "../support/until.ts";
import { isOfSome, readShown, withRule, type Shown } from "./metrics.ts";
import { ALERT_QUERIES, DASHBOARD, DASHBOARD_QUERIES, labelsIn, metricsIn, type Query } from "./queries.ts";

setDefaultTimeout(120_000);
afterAll(stopServers);

let shown: Shown;
beforeAll(async () => {
  shown = await readShown();
});

test.skipIf(prometheusFolder === undefined)("promtool reads each query of the dashboard", async () => {
  const rules = DASHBOARD_QUERIES.map(({ title, query }, index) => ({
    record: `query:${index}`,
    expr: query,
    labels: { title },
  }));
  const file = { groups: [{ name: "queries", rules }] };
  expect(await promtoolOn(["check", "rules"], file)).toMatchObject({ exitCode: 0 });
});

test.each([
  ["dashboard", DASHBOARD_QUERIES],
  ["alerts", ALERT_QUERIES],
] as const)("the %s ask for metrics and labels that there are", (_, queries: readonly Query[]) => {
  expect(queries.length).toBeGreaterThan(20);
  for (const { title, query } of queries) {
    const asked = metricsIn(query);
    expect([title, asked.length > 0]).toEqual([title, true]);
    expect([title, asked.filter((name) => !shown.names.has(name))]).toEqual([title, []]);
    const lines = shown.text.split("\n");
    const absent = labelsIn(query).filter(({ metric, label }) => {
      const series = lines.filter((line) => line.startsWith(`${metric}{`));
      const isNamed = metric.startsWith("longpour_") && !/^job=|="\.\*"$/.test(label);
      return isNamed && !series.some((line) => line.includes(label)) && !(isOfSome(metric) && series.length === 0);
    });
    expect([title, absent]).toEqual([title, []]);
  }
});

test("the dashboard's lists to choose from are of metrics that there are", () => {
  const lists = DASHBOARD.templating.list.flatMap(({ query }) =>
    metricsIn(typeof query === "string" ? "" : query.query),
  );
  expect(lists.length).toBeGreaterThan(0);
  expect(lists.filter((name) => !shown.names.has(name))).toEqual([]);
});

test("no metric of the server is left out of the dashboard", () => {
  const drawn = new Set(DASHBOARD_QUERIES.flatMap(({ query }) => metricsIn(query)));
  const isDrawn = (name: string): boolean => drawn.has(name) || drawn.has(name.replace(/_(?:sum|count)$/, "_bucket"));
  const own = [...shown.names].filter((name) => name.startsWith("longpour_") && !name.endsWith("_bucket"));
  expect(own.length).toBeGreaterThan(20);
  expect(own.filter((name) => !isDrawn(name))).toEqual([]);
});

test.skipIf(prometheusFolder === undefined)(
  "a Prometheus that scrapes a shop answers each query of the dashboard",
  async () => {
    const server = await startServer(withRule());
    await using prometheus = await TestPrometheus.start([server], "none is asked for");
    await until(async () => (await prometheus.query("up")) === 1, "it is scraped", 30_000);
    const held = order(server);
    await brew(server, "wait=10");
    expectStatus(await held, 200);
    await place(server);
    const wrong = await ask(`${server.customers}/order/`, { method: "POST", json: { item: "tea" } });
    expectStatus(wrong, 422);
    // The last thing that happened.
    const seen = "sum(increase(longpour_refusals_total[1m])) > 0";
    await until(async () => (await prometheus.query(seen)) !== undefined, "it was scraped", 30_000);
    for (const { title, query } of DASHBOARD_QUERIES.filter((one) => !metricsIn(one.query).some(isOfSome))) {
      // What the dashboard hides at 0 is there.
      const value = await prometheus.query(query.replace(/ > 0$/, ""));
      expect([title, query, typeof value]).toEqual([title, query, "number"]);
    }
  },
);
