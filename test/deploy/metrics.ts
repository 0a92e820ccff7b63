/** Owns which metrics there are. */
import { ask } from "../support/http.ts";
import { writeRules } from "../support/rules.ts";
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

/** Those that only a server with HTTPS shows, or a shop with a durable reader. */
const OF_SOME = ["longpour_certificate_expiry_timestamp_seconds", "longpour_reader_lag_events"];

/** Settings of a server with a rule, so that it shows the metrics of rules. */
export function withRule(): { readonly RULES_FILE: string } {
  return { RULES_FILE: writeRules({ name: "log-all", pattern: { type: [{ prefix: "order." }] }, target: "log" }) };
}

export interface Shown {
  /** The names of all series that Prometheus has of a shop, those of its histograms included. */
  readonly names: ReadonlySet<string>;
  /** What the server shows. */
  readonly text: string;
}

export async function readShown(): Promise<Shown> {
  const server = await startServer(withRule());
  const { text } = await ask(`${server.baristas}/metrics`);
  await server.stop();
  const names = Array.from(text.matchAll(/^# TYPE (\S+) (\w+)$/gm), ([, name = "", kind]) =>
    kind === "histogram" ? ["_bucket", "_sum", "_count"].map((end) => name + end) : [name],
  );
  return { names: new Set([...names.flat(), ...OF_PROMETHEUS, ...OF_REDIS_EXPORTER, ...OF_SOME]), text };
}

/** Whether only some servers show a metric, so that another has no value of it. */
export function isOfSome(name: string): boolean {
  return OF_SOME.includes(name);
}
