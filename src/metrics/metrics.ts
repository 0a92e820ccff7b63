/**
 * Owns the metrics of a server, gathered for a scrape.
 *
 * **Invariants**
 * - Before its first scrape a server counts in plain numbers, and has loaded nothing more.
 * - While Redis is away a scrape says what this server knows by itself.
 */
import type { Log } from "../log.ts";
import { DEFAULT_QUEUE } from "../queue-settings.ts";
import type { ShopRedis } from "../redis/connections.ts";
import type { Rules } from "../rules/rules.ts";
import type { Family } from "./family.ts";
import { describeProcess } from "./process.ts";
import { createMeasureRules, describeCounted, describeStates } from "./rules.ts";
import { describeServer, type ServerParts } from "./server.ts";
import { createMeasureShop, type ShopMeasure } from "./shop.ts";

/** How metrics may be written: as Prometheus's text, or as OpenMetrics. */
export type Format = "text" | "openmetrics";

export interface Exposition {
  readonly text: string;
  readonly contentType: string;
}

export type Scrape = (format: Format) => Promise<Exposition>;

export interface MetricsParts extends Omit<ServerParts, "outage"> {
  readonly redis: Pick<ShopRedis, "run" | "outage">;
  /** Those of machines that this server declares. */
  readonly queues: readonly string[];
  readonly rules: Rules;
  readonly log: Log;
}

export function createScrape({ redis, queues, rules, log, ...parts }: MetricsParts): Scrape {
  const measureShop = createMeasureShop(redis.run, [DEFAULT_QUEUE, ...queues], log);
  const measureRules = createMeasureRules(rules, log);
  return async (format) => {
    const measuring = redis.outage.isOn ? [] : ([measureShop(), measureRules()] as const);
    const [{ writeFamilies }, measure, states = []] = await Promise.all([import("./exposition.ts"), ...measuring]);
    const shop = measure ? describeShop(measure) : [];
    const server = describeServer({ ...parts, outage: redis.outage });
    const ofRules = [...describeCounted(rules.counted), ...describeStates(states)];
    return await writeFamilies([...server, ...shop, ...ofRules, ...describeProcess()], format);
  };
}

function describeShop({ queues, damaged, reserved, dead, readers }: ShopMeasure): Family[] {
  const statuses = ["queued", "scheduled", "unpaid", "brewing"] as const;
  return [
    {
      kind: "gauge",
      name: "longpour_queue_orders",
      help: "Open orders of the shop, by queue and status. Those queued are its depth.",
      samples: queues.flatMap((measure) =>
        statuses.map((status) => ({ labels: { queue: measure.queue, status }, value: measure[status] })),
      ),
    },
    {
      kind: "gauge",
      name: "longpour_queue_oldest_waiting_seconds",
      help: "Age of the oldest queued order; 0 where none waits.",
      samples: queues.map(({ queue, oldestWaitingSeconds: value }) => ({ labels: { queue }, value })),
    },
    {
      kind: "gauge",
      name: "longpour_reserved_orders",
      help: "Orders of the shop whose drink is yet to be chosen.",
      samples: [{ value: reserved }],
    },
    {
      kind: "gauge",
      name: "longpour_dead_letters",
      help: "Orders of the shop that could not be made, as GET /dead lists them.",
      samples: [{ value: dead }],
    },
    {
      kind: "gauge",
      name: "longpour_damaged_orders",
      help: "Orders of the shop that are set aside as damaged.",
      samples: [{ value: damaged }],
    },
    {
      kind: "gauge",
      name: "longpour_reader_lag_events",
      help: "Events of the shop that a durable reader has yet to handle.",
      samples: readers.map(({ reader, lag }) => ({ labels: { reader }, value: lag })),
    },
  ];
}
