/**
 * Owns the metrics of this server: what it counted since it began, and whom it holds.
 *
 * **Invariants**
 * - They need no Redis.
 * - A counter begins at 0: its first increase is seen too.
 */
import { EVENT_TYPES, PAYMENT_TYPES } from "../events/event.ts";
import { OWN_EVENT_TYPE } from "../formats.ts";
import { REJECTION_REASONS } from "../limits/rejection-log.ts";
import type { WaitLimit } from "../limits/wait-limit.ts";
import type { WaitingRoom } from "../longpoll/room.ts";
import { WHY_REFUSED } from "../orders/admission.ts";
import type { Flow } from "../orders/flow.ts";
import { CANCEL_REASONS, type OrderJson } from "../orders/order.ts";
import type { ShopRedis } from "../redis/connections.ts";
import { FAULTS } from "../problem.ts";
import type { Tally } from "../tally.ts";
import { samplesOf, type Family, type Sample } from "./family.ts";

export interface ServerParts {
  readonly flow: Flow;
  readonly refusals: Tally;
  readonly faults: Tally;
  readonly outage: ShopRedis["outage"];
  readonly room: Pick<WaitingRoom<OrderJson>, "laneSizes">;
  readonly waitLimit: Pick<WaitLimit, "waiting" | "limit">;
  /** When the certificate of the ports expires, in ms since 1970; undefined: they speak plain HTTP. */
  readonly certificateEndsMs: () => number | undefined;
}

/** Why an order request may be turned away. */
const REFUSAL_CAUSES = [...WHY_REFUSED, ...REJECTION_REASONS, "mismatch", "closing", "redis_away"];

const OWN_TYPE = new RegExp(`^${OWN_EVENT_TYPE}$`);
const ORDER_EVENTS = EVENT_TYPES.filter((type) => type.startsWith("order."));

export function describeServer({ flow, refusals, faults, outage, room, ...parts }: ServerParts): Family[] {
  const { waitLimit, certificateEndsMs } = parts;
  const endsMs = certificateEndsMs();
  return [
    ...describeEvents(flow),
    ...describeTimes(flow),
    {
      kind: "counter",
      name: "longpour_refusals_total",
      help: "Requests that this server turned away, by cause.",
      samples: samplesOf(refusals, REFUSAL_CAUSES, "cause"),
    },
    {
      kind: "counter",
      name: "longpour_request_faults_total",
      help: "Requests that this server answered with 500, by what they met.",
      samples: samplesOf(faults, FAULTS, "fault"),
    },
    gauge("longpour_held_customers", "Customers whom this server holds.", waitLimit.waiting),
    gauge("longpour_held_customers_limit", "Requests that this server may hold at once.", waitLimit.limit),
    ...describeLanes(room.laneSizes),
    gauge("longpour_redis_up", "Whether Redis serves this server: 1 or 0.", outage.isOn ? 0 : 1),
    {
      kind: "gauge",
      name: "longpour_certificate_expiry_timestamp_seconds",
      help: "When the certificate of both ports expires, since 1970; missing without HTTPS.",
      samples: endsMs === undefined ? [] : [{ value: endsMs / 1000 }],
    },
    counter("longpour_redis_outages_total", "Outages of Redis, the one under way included.", outage.count),
    counter("longpour_redis_outage_seconds_total", "How long outages of Redis took.", outage.seconds),
  ];
}

function describeEvents({ events }: Flow): Family[] {
  let own = 0;
  for (const [name, count] of events.counts) if (OWN_TYPE.test(name)) own += count;
  const countOf = (name: string): number => events.counts.get(name) ?? 0;
  const orders = ORDER_EVENTS.flatMap((type): Sample[] => {
    const event = withoutKind(type);
    if (type !== "order.cancelled") return [{ labels: { event, reason: "" }, value: countOf(type) }];
    return CANCEL_REASONS.map((reason) => ({ labels: { event, reason }, value: countOf(`${type} ${reason}`) }));
  });
  return [
    {
      kind: "counter",
      name: "longpour_orders_total",
      help: "Events of orders that this server made happen. `own`: those of machines.",
      samples: [...orders, { labels: { event: "own", reason: "" }, value: own }],
    },
    {
      kind: "counter",
      name: "longpour_payments_total",
      help: "Events of payments that this server made happen.",
      samples: PAYMENT_TYPES.map((type) => ({ labels: { event: withoutKind(type) }, value: countOf(type) })),
    },
  ];
}

/** `placed` of `order.placed`. */
function withoutKind(type: string): string {
  return type.slice(type.indexOf(".") + 1);
}

function describeTimes({ waits, brews, notifications, commitSeconds, commitSizes }: Flow): Family[] {
  const byQueue = (histograms: Flow["waits"]) =>
    Array.from(histograms, ([queue, histogram]) => ({ labels: { queue }, histogram }));
  return [
    {
      kind: "histogram",
      name: "longpour_order_wait_seconds",
      help: "From placed, or the time scheduled for, to first started by this server.",
      series: byQueue(waits),
    },
    {
      kind: "histogram",
      name: "longpour_order_brew_seconds",
      help: "From started to finished by this server.",
      series: byQueue(brews),
    },
    {
      kind: "histogram",
      name: "longpour_order_notify_seconds",
      help: "From the end of an order to the answer of a customer whom this server held.",
      series: [{ histogram: notifications }],
    },
    {
      kind: "histogram",
      name: "longpour_commit_duration_seconds",
      help: "From sending a group commit to its answer, outages of Redis included.",
      series: [{ histogram: commitSeconds }],
    },
    {
      kind: "histogram",
      name: "longpour_commit_operations",
      help: "Operations in a group commit.",
      series: [{ histogram: commitSizes }],
    },
  ];
}

function describeLanes(sizes: readonly number[]): Family[] {
  let total = 0;
  for (const size of sizes) total += size;
  return [
    gauge("longpour_lanes", "Redis connections that held customers share.", sizes.length),
    gauge("longpour_lane_orders", "Orders that all lanes listen for.", total),
    gauge("longpour_lane_orders_max", "Orders that the fullest lane listens for.", Math.max(0, ...sizes)),
  ];
}

function gauge(name: string, help: string, value: number): Family {
  return { kind: "gauge", name, help, samples: [{ value }] };
}

function counter(name: string, help: string, value: number): Family {
  return { kind: "counter", name, help, samples: [{ value }] };
}
