/** Grafana's dashboard: it fits Grafana's own types, and each panel has its place. */
import { expect, test } from "bun:test";
import { defaultDashboard } from "@grafana/schema";
import { readYaml } from "./files.ts";
import { DASHBOARD } from "./queries.ts";
import { typeFaults } from "./type-check.ts";

test("it fits the types of the Grafana that compose.yaml runs, and has their version of the schema", async () => {
  const typed = { type: "Dashboard", from: "@grafana/schema" };
  expect(await typeFaults([{ ...typed, document: DASHBOARD }])).toBe("");
  expect(DASHBOARD.schemaVersion).toBe(defaultDashboard.schemaVersion ?? NaN);
  const wrong = { ...DASHBOARD, panels: [{ type: "stat", tittle: "misspelled" }] };
  expect(await typeFaults([{ ...typed, document: wrong }])).toContain("tittle");
});

test("each panel has a place of its own, a number and a description", () => {
  const taken = new Map<string, string>();
  for (const { title, gridPos } of DASHBOARD.panels) {
    expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
        expect(taken.get(`${x}/${y}`) ?? title).toBe(title);
        taken.set(`${x}/${y}`, title);
      }
    }
  }
  const ids = DASHBOARD.panels.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  const drawn = DASHBOARD.panels.filter(({ type }) => type !== "row");
  expect(drawn.filter(({ description = "", targets = [] }) => description === "" || targets.length === 0)).toEqual([]);
});

test("Grafana finds the dashboard where compose.yaml puts it, and asks the Prometheus there", () => {
  const sources = readYaml("deploy/grafana/provisioning/datasources/prometheus.yml");
  expect(sources).toMatchObject({ datasources: [{ type: "prometheus", url: "http://prometheus:9090" }] });
  const dashboards = readYaml("deploy/grafana/provisioning/dashboards/longpour.yml");
  expect(dashboards).toMatchObject({ providers: [{ options: { path: "/etc/grafana/dashboards" } }] });
});
