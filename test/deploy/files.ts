/** Owns how tests read what deploy/ ships. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export const ROOT = join(import.meta.dir, "../..");
const DEPLOY = join(ROOT, "deploy");

/** A file of this repository, as text. */
export function readShipped(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

/** One in YAML. */
export function readYaml(path: string): unknown {
  return Bun.YAML.parse(readShipped(path));
}

export interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly runbook_url: string };
}

/** The files with alerts, from this repository's root. */
export const ALERT_FILES: readonly string[] = readdirSync(join(DEPLOY, "prometheus"))
  .filter((name) => name.startsWith("alerts"))
  .map((name) => `deploy/prometheus/${name}`);

export const ALERTS: readonly Rule[] = ALERT_FILES.flatMap((path) =>
  (readYaml(path) as { groups: { rules: Rule[] }[] }).groups.flatMap(({ rules }) => rules),
);
