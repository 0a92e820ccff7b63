/** Grafana's dashboard: it fits Grafana's own types, and each of its queries is one that Prometheus can answer. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { defaultDashboard } from "@grafana/schema";
import { promtoolOn, prometheusFolder } from "../support/prometheus.ts";
import { stopServers } from "../support/server.ts";
import { ALERTS, readShipped, readYaml } from "./files.ts";
import { metricsIn, readSeriesNames } from "./metrics.ts";
import { typeFaults } from "./type-check.ts";

const PATH = "deploy/grafana/dashboards/longpour.json";

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: { readonly h: number; readonly w: number; readonly x: number; readonly y: number };
  readonly targets?: readonly { readonly expr: string; readonly datasource: unknown }[];
}

interface Dashboard {
  readonly schemaVersion: number;
  readonly panels: readonly Panel[];
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly query: string | { query: string } }[];
  };
}

const dashboard = JSON.parse(readShipped(PATH)) as Dashboard;
const queries = dashboard.panels.flatMap(({ title, targets = [] }) =>
  targets.map(({ expr }) => ({ title, query: plain(expr) })),
);

/** As Grafana asks it. */
function plain(query: string): string {
  return query.replaceAll("$__rate_interval", "1m").replaceAll(/\$(?:job|queue|instance)\b/g, ".*");
}

let names: ReadonlySet<string>;
beforeAll(async () => {
  names = await readSeriesNames();
});
afterAll(stopServers);

test("it fits the types of the Grafana that compose.yaml runs, and has their version of the schema", async () => {
  const typed = { type: "Dashboard", from: "@grafana/schema" };
  expect(await typeFaults([{ ...typed, document: dashboard }])).toBe("");
  expect(dashboard.schemaVersion).toBe(defaultDashboard.schemaVersion ?? NaN);
  const wrong = { ...dashboard, panels: [{ type: "stat", tittle: "misspelled" }] };
  expect(await typeFaults([{ ...typed, document: wrong }])).toContain("tittle");
});

test("each panel has a place of its own, a number and a description", () => {
  const taken = new Map<string, string>();
  for (const { title, gridPos } of dashboard.panels) {
    expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
        expect(taken.get(`${x}/${y}`) ?? title).toBe(title);
        taken.set(`${x}/${y}`, title);
      }
    }
  }
  const ids = dashboard.panels.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  const drawn = dashboard.panels.filter(({ type }) => type !== "row");
  expect(drawn.filter(({ description = "", targets = [] }) => description === "" || targets.length === 0)).toEqual([]);
});

test.skipIf(prometheusFolder === undefined)("promtool reads each query", async () => {
  const rules = queries.map(({ title, query: expr }, index) => ({ record: `query:${index}`, expr, labels: { title } }));
  const file = { groups: [{ name: "queries", rules }] };
  expect(await promtoolOn(["check", "rules"], file)).toMatchObject({ exitCode: 0 });
});

describe("every metric that is asked for is there", () => {
  test("in the dashboard", () => {
    expect(queries.length).toBeGreaterThan(40);
    for (const { title, query } of queries) {
      const asked = metricsIn(query);
      expect([title, asked.length > 0]).toEqual([title, true]);
      expect([title, asked.filter((name) => !names.has(name))]).toEqual([title, []]);
    }
    const lists = dashboard.templating.list.flatMap(({ query }) =>
      metricsIn(typeof query === "string" ? "" : query.query),
    );
    expect(lists.length).toBeGreaterThan(0);
    expect(lists.filter((name) => !names.has(name))).toEqual([]);
  });

  test("in the alerts", () => {
    for (const { alert, expr } of ALERTS) {
      const asked = metricsIn(expr);
      expect([alert, asked.length > 0]).toEqual([alert, true]);
      expect([alert, asked.filter((name) => !names.has(name))]).toEqual([alert, []]);
    }
  });
});

test("no metric of the server is left out of the dashboard", () => {
  const drawn = new Set(queries.flatMap(({ query }) => metricsIn(query)));
  const isDrawn = (name: string): boolean => drawn.has(name) || drawn.has(name.replace(/_(?:sum|count)$/, "_bucket"));
  expect(
    [...names].filter((name) => name.startsWith("longpour_") && !isDrawn(name) && !name.endsWith("_bucket")),
  ).toEqual([]);
});

test("Grafana finds the dashboard where compose.yaml puts it, and asks the Prometheus there", () => {
  const sources = readYaml("deploy/grafana/provisioning/datasources/prometheus.yml");
  expect(sources).toMatchObject({ datasources: [{ type: "prometheus", url: "http://prometheus:9090" }] });
  const dashboards = readYaml("deploy/grafana/provisioning/dashboards/longpour.yml");
  expect(dashboards).toMatchObject({ providers: [{ options: { path: "/etc/grafana/dashboards" } }] });
});
