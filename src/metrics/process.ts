/**
 * Owns the figures of the process, under the names that Prometheus's own clients give them.
 *
 * **Invariants**
 * - Each costs microseconds: none looks through /proc, and none measures between scrapes.
 */
import { version } from "../version.ts";
import type { Family } from "./family.ts";

export function describeProcess(): Family[] {
  const { user, system } = process.cpuUsage();
  return [
    gauge("longpour_build_info", "The version that runs, as a label; always 1.", 1, { version }),
    {
      kind: "counter",
      name: "process_cpu_seconds_total",
      help: "Processor time of the process.",
      samples: [{ value: (user + system) / 1e6 }],
    },
    gauge("process_resident_memory_bytes", "Memory of the process.", process.memoryUsage.rss()),
    gauge("process_start_time_seconds", "When the process began, since 1970.", performance.timeOrigin / 1000),
  ];
}

function gauge(name: string, help: string, value: number, labels?: Readonly<Record<string, string>>): Family {
  return { kind: "gauge", name, help, samples: [{ labels, value }] };
}
