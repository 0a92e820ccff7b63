/** Owns which metrics there are. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isSettingName } from "../../src/config.ts";
import { ask } from "../support/http.ts";
import { startServer } from "../support/server.ts";

/** What Prometheus itself adds to all that it scrapes. */
const OF_PROMETHEUS = ["up"];

/** Of redis_exporter 1.74. */
const OF_REDIS_EXPORTER = [
  "redis_aof_enabled",
  "redis_aof_last_bgrewrite_status",
  "redis_aof_last_write_status",
  "redis_memory_max_bytes",
  "redis_memory_used_bytes",
];

/** Those of rules: for as long as no server has any. */
const OF_RULES = [
  "longpour_rule_deliveries_total",
  "longpour_rule_delivery_seconds_bucket",
  "longpour_rule_lag_events",
  "longpour_rule_lost_events_total",
  "longpour_rule_dead_deliveries",
  "longpour_rule_ended",
];

/** Those that only a server with HTTPS shows, or a shop with a durable reader. */
const OF_SOME = ["longpour_certificate_expiry_timestamp_seconds", "longpour_reader_lag_events"];

const ONE_RULE = { rules: [{ name: "log-all", pattern: { type: [{ prefix: "order." }] }, target: "log" }] };

export interface Shown {
  /** The names of all series that Prometheus has of a shop, those of its histograms included. */
  readonly names: ReadonlySet<string>;
  /** What the server shows. */
  readonly text: string;
}

export async function readShown(): Promise<Shown> {
  const folder = mkdtempSync(join(tmpdir(), "longpour-rules-"));
  const file = join(folder, "rules.json");
  writeFileSync(file, JSON.stringify(ONE_RULE));
  const server = await startServer({ RULES_FILE: file });
  const { text } = await ask(`${server.baristas}/metrics`);
  await server.stop();
  rmSync(folder, { recursive: true });
  const names = Array.from(text.matchAll(/^# TYPE (\S+) (\w+)$/gm), ([, name = "", kind]) =>
    kind === "histogram" ? ["_bucket", "_sum", "_count"].map((end) => name + end) : [name],
  );
  const rules = isSettingName("RULES_FILE") ? [] : OF_RULES;
  return { names: new Set([...names.flat(), ...OF_PROMETHEUS, ...OF_REDIS_EXPORTER, ...OF_SOME, ...rules]), text };
}

/** Whether only some servers show a metric, so that another has no value of it. */
export function isOfSome(name: string): boolean {
  return OF_RULES.includes(name) || OF_SOME.includes(name);
}
