/** Owns the queries that deploy/ ships: those of the dashboard, as Grafana asks them, and those of the alerts. */
import { ALERTS, readShipped } from "./files.ts";

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

/** Where it stands, and what it asks. */
export interface Query {
  readonly title: string;
  readonly query: string;
}

export const DASHBOARD = JSON.parse(readShipped("deploy/grafana/dashboards/longpour.json")) as Dashboard;

export const DASHBOARD_QUERIES: readonly Query[] = DASHBOARD.panels.flatMap(({ title, targets = [] }) =>
  targets.map(({ expr }) => ({ title, query: plain(expr) })),
);

export const ALERT_QUERIES: readonly Query[] = ALERTS.map(({ alert, expr }) => ({ title: alert, query: expr }));

/** Its variables are all chosen. */
function plain(query: string): string {
  return query.replaceAll("$__rate_interval", "1m").replaceAll(/\$(?:job|queue|instance)\b/g, ".*");
}

/** The names of metrics in a query: all names that nothing else in PromQL has. */
export function metricsIn(query: string): string[] {
  const bare = query.replaceAll(/"[^"]*"/g, '""').replaceAll(/\b(?:by|on|without) \([^)]*\)/g, "");
  return Array.from(bare.matchAll(/\b(?:longpour|process|redis)_\w+\b|\bup\b/g), ([name]) => name);
}

/** The values of labels that a query wants, as series spell them: `event="placed"`. */
export function labelsIn(query: string): { metric: string; label: string }[] {
  return Array.from(query.matchAll(/\b(\w+)\{([^}]*)\}/g), ([, metric = "", matchers = ""]) =>
    Array.from(matchers.matchAll(/(\w+)=~?"([^"]*)"/g), ([, name = "", values = ""]) =>
      values.split("|").map((value) => ({ metric, label: `${name}="${value}"` })),
    ),
  ).flat(2);
}
