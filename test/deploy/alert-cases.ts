/**
 * Owns what each alert of deploy/prometheus/ is tested by: series that it fires at, and series that it does not.
 *
 * **Invariants**
 * - Series are in promtool's notation: a value each 30 s, for an hour. The alert is looked at after that hour.
 * - What is quiet is as busy as a shop may be: a bound that is too low shows.
 */
export type Series = Readonly<Record<string, string>>;

export interface AlertCase {
  readonly alert: string;
  readonly fires: Series;
  readonly quiet: Series;
  /** What an alert says of itself, beside its severity and its runbook. */
  readonly labels: Readonly<Record<string, string>>;
  readonly summary: string;
}

const HOUR = 120;
const JOB = 'job="longpour"';
const AT = `${JOB},instance="a:8001"`;
const THERE = { job: "longpour" };
const AT_A = { ...THERE, instance: "a:8001" };

/** Always `value`. */
const always = (value: number | string): string => `${value}x${HOUR}`;
/** Grows by `step` each 30 s: a counter. */
const grows = (step: number): string => `0+${step}x${HOUR}`;

/** A histogram whose observations are all in the bucket of `seconds`: ten each 30 s. */
function histogram(name: string, seconds: string): Series {
  const bounds = ["0.1", "0.25", "1", "5", "+Inf"];
  const from = bounds.indexOf(seconds);
  return Object.fromEntries(
    bounds.map((le, index) => [`${name}_bucket{${AT},le="${le}"}`, index < from ? always(0) : grows(10)]),
  );
}

/** A queue of the shop, with nothing in it but these orders. */
function queue(orders: Readonly<Record<string, number>>, started: string = always(0)): Series {
  const states = Object.entries(orders).map(([status, count]): [string, string] => [
    `longpour_queue_orders{${AT},queue="default",status="${status}"}`,
    always(count),
  ]);
  return { ...Object.fromEntries(states), [`longpour_order_wait_seconds_count{${AT},queue="default"}`]: started };
}

function refusals(counts: Readonly<Record<string, string>>): Series {
  const entries = Object.entries(counts);
  return Object.fromEntries(entries.map(([cause, of]) => [`longpour_refusals_total{${AT},cause="${cause}"}`, of]));
}

const PLACED = `longpour_orders_total{${AT},event="placed",reason=""}`;
const rule = (metric: string, more = ""): string => `longpour_rule_${metric}{${AT},rule="till"${more}}`;
const TILL = { ...THERE, rule: "till" };

export const ALERT_CASES: readonly AlertCase[] = [
  {
    alert: "LongpourOrdersWaitLong",
    fires: { [`longpour_queue_oldest_waiting_seconds{${AT},queue="default"}`]: always(900) },
    quiet: { [`longpour_queue_oldest_waiting_seconds{${AT},queue="default"}`]: always(590) },
    labels: { ...THERE, queue: "default" },
    summary: "The oldest order of queue default has waited for 15m 0s.",
  },
  {
    alert: "LongpourOrdersNotTaken",
    fires: queue({ queued: 7, brewing: 0 }),
    // What is made faster than Prometheus looks is never seen to be brewing.
    quiet: queue({ queued: 7, brewing: 0 }, grows(1)),
    labels: { ...THERE, queue: "default" },
    summary: "Queue default has 7 orders waiting, and no barista takes one.",
  },
  {
    alert: "LongpourOrdersRefused",
    fires: { ...refusals({ redis_away: grows(5), room_full: grows(5) }), [PLACED]: grows(10) },
    // Who is too fast, too late or wrong is not refused by the shop.
    quiet: {
      ...refusals({ redis_away: grows(0), too_many_orders: grows(500), closed: grows(9) }),
      [PLACED]: grows(10),
    },
    labels: THERE,
    summary: "50% of orders are refused with 503.",
  },
  {
    alert: "LongpourRequestFaults",
    fires: { [`longpour_request_faults_total{${AT},fault="internal"}`]: grows(1) },
    quiet: { [`longpour_request_faults_total{${AT},fault="internal"}`]: always(3) },
    labels: { ...THERE, fault: "internal" },
    summary: "Requests met a fault (internal) and were answered 500.",
  },
  {
    alert: "LongpourNotifySlow",
    fires: histogram("longpour_order_notify_seconds", "5"),
    quiet: histogram("longpour_order_notify_seconds", "1"),
    labels: THERE,
    summary: "One held customer in a hundred gets the answer later than 4.96s after the end.",
  },
  {
    alert: "LongpourRoomFills",
    fires: {
      [`longpour_held_customers{${AT}}`]: always(19_000),
      [`longpour_held_customers_limit{${AT}}`]: always(20_000),
    },
    quiet: {
      [`longpour_held_customers{${AT}}`]: always(15_000),
      [`longpour_held_customers_limit{${AT}}`]: always(20_000),
    },
    labels: AT_A,
    summary: "a:8001 holds 95% of the customers that it may.",
  },
  {
    alert: "LongpourFlood",
    fires: refusals({ too_many_requests: grows(900), too_many_orders: grows(300) }),
    quiet: refusals({ too_many_requests: grows(500), full: grows(3000) }),
    labels: THERE,
    summary: "The limits turn away 40 requests a second.",
  },
  {
    alert: "LongpourDeadLetters",
    fires: { [`longpour_dead_letters{${AT}}`]: "4x100 5x19" },
    quiet: { [`longpour_dead_letters{${AT}}`]: "5x100 4x19" },
    labels: THERE,
    summary: "Orders could not be made, and are among the dead letters.",
  },
  {
    alert: "LongpourDamagedOrders",
    fires: { [`longpour_damaged_orders{${AT}}`]: always(2) },
    quiet: { [`longpour_damaged_orders{${AT}}`]: always(0) },
    labels: THERE,
    summary: "2 orders are set aside as damaged.",
  },
  {
    alert: "LongpourShopDown",
    fires: { [`up{${AT}}`]: always(0), [`up{${JOB},instance="b:8001"}`]: always(0) },
    quiet: { [`up{${AT}}`]: always(0), [`up{${JOB},instance="b:8001"}`]: always(1) },
    labels: {},
    summary: "No server of the shop answers Prometheus.",
  },
  {
    alert: "LongpourReplicaDown",
    fires: { [`up{${AT}}`]: always(0), [`up{${JOB},instance="b:8001"}`]: always(1) },
    // A restart is over within a minute or two.
    quiet: { [`up{${AT}}`]: "1x117 0x2" },
    labels: AT_A,
    summary: "a:8001 does not answer Prometheus.",
  },
  {
    alert: "LongpourReplicaRestarts",
    fires: { [`process_start_time_seconds{${AT}}`]: "0x70 100x10 200x10 300x29" },
    quiet: { [`process_start_time_seconds{${AT}}`]: "0x70 100x10 200x39" },
    labels: AT_A,
    summary: "a:8001 began 3 times within half an hour.",
  },
  {
    alert: "LongpourProcessorBusy",
    fires: { [`process_cpu_seconds_total{${AT}}`]: grows(28.5) },
    quiet: { [`process_cpu_seconds_total{${AT}}`]: grows(24) },
    labels: AT_A,
    summary: "a:8001 uses 95% of its one core.",
  },
  {
    alert: "LongpourVersionsDiffer",
    fires: {
      [`longpour_build_info{${AT},version="1"}`]: always(1),
      [`longpour_build_info{${JOB},instance="b:8001",version="2"}`]: always(1),
    },
    // A deploy.
    quiet: {
      [`longpour_build_info{${AT},version="1"}`]: "_x60 1x59",
      [`longpour_build_info{${JOB},instance="b:8001",version="2"}`]: always(1),
    },
    labels: THERE,
    summary: "Replicas of 2 versions have run side by side for an hour.",
  },
  {
    alert: "LongpourCertificateExpires",
    fires: { [`longpour_certificate_expiry_timestamp_seconds{${AT}}`]: always(3600 + 10 * 86_400) },
    quiet: { [`longpour_certificate_expiry_timestamp_seconds{${AT}}`]: always(3600 + 15 * 86_400) },
    labels: AT_A,
    summary: "The certificate of a:8001 expires in 10d 0h 0m 0s.",
  },
  {
    alert: "LongpourCertificateExpiresNow",
    fires: { [`longpour_certificate_expiry_timestamp_seconds{${AT}}`]: always(3600 + 86_400) },
    quiet: { [`longpour_certificate_expiry_timestamp_seconds{${AT}}`]: always(3600 + 3 * 86_400) },
    labels: AT_A,
    summary: "The certificate of a:8001 expires in 1d 0h 0m 0s.",
  },
  {
    alert: "LongpourRedisAway",
    fires: { [`longpour_redis_up{${AT}}`]: always(0) },
    quiet: { [`longpour_redis_up{${AT}}`]: "1x119 0x0" },
    labels: AT_A,
    summary: "Redis does not serve a:8001; customers wait, new ones are refused.",
  },
  {
    alert: "LongpourRedisOutages",
    fires: { [`longpour_redis_outages_total{${AT}}`]: "0x20 1x20 2x20 3x20 5x39" },
    quiet: { [`longpour_redis_outages_total{${AT}}`]: "0x50 1x30 2x39" },
    labels: THERE,
    summary: "Redis was away more than three times within an hour.",
  },
  {
    alert: "LongpourCommitsSlow",
    fires: histogram("longpour_commit_duration_seconds", "1"),
    quiet: histogram("longpour_commit_duration_seconds", "0.25"),
    labels: THERE,
    summary: "One commit in a hundred takes longer than 992.5ms.",
  },
  {
    alert: "LongpourShopNotMeasured",
    fires: { [`longpour_redis_up{${AT}}`]: always(1) },
    quiet: { [`longpour_redis_up{${AT}}`]: always(1), [`longpour_damaged_orders{${AT}}`]: always(0) },
    labels: AT_A,
    summary: "a:8001 shows no figures of the shop, so that alerts by waiting orders are blind.",
  },
  {
    alert: "LongpourReaderLags",
    fires: { [`longpour_reader_lag_events{${AT},reader="payments"}`]: always(30_000) },
    quiet: { [`longpour_reader_lag_events{${AT},reader="payments"}`]: always(19_000) },
    labels: { ...THERE, reader: "payments" },
    summary: "Reader payments is 30000 events behind.",
  },
  {
    alert: "LongpourRuleLags",
    fires: { [rule("lag_events")]: always(2500) },
    quiet: { [rule("lag_events")]: always(900) },
    labels: TILL,
    summary: "Rule till is 2500 events behind.",
  },
  {
    alert: "LongpourRuleLosesEvents",
    fires: { [rule("lost_events_total")]: "0x60 17x59" },
    quiet: { [rule("lost_events_total")]: always(17) },
    labels: TILL,
    summary: "Rule till came too late for events, which are lost to it.",
  },
  {
    alert: "LongpourRuleFails",
    fires: {
      [rule("deliveries_total", ',outcome="failed"')]: grows(9),
      [rule("deliveries_total", ',outcome="delivered"')]: grows(3),
    },
    quiet: {
      [rule("deliveries_total", ',outcome="failed"')]: grows(4),
      [rule("deliveries_total", ',outcome="delivered"')]: grows(5),
    },
    labels: TILL,
    summary: "75% of the deliveries of rule till fail.",
  },
  {
    alert: "LongpourRuleEnded",
    fires: { [rule("ended")]: always(1) },
    quiet: { [rule("ended")]: always(0) },
    labels: TILL,
    summary: "Rule till has ended, as its target wants no more.",
  },
  {
    alert: "LongpourRuleDeadDeliveries",
    fires: { [rule("dead_deliveries")]: always(4) },
    quiet: { [rule("dead_deliveries")]: always(0) },
    labels: TILL,
    summary: "4 deliveries of rule till are dead, and wait to be replayed.",
  },
  {
    alert: "LongpourStoreAppendsFail",
    fires: { redis_aof_last_write_status: always(0) },
    quiet: { redis_aof_last_write_status: always(1) },
    labels: {},
    summary: "Redis can't append to its file, and takes no orders.",
  },
  {
    alert: "LongpourStoreRewriteFails",
    fires: { redis_aof_last_bgrewrite_status: always(0) },
    quiet: { redis_aof_last_bgrewrite_status: always(1) },
    labels: {},
    summary: "Redis can't rewrite its file, which grows.",
  },
  {
    alert: "LongpourStoreNotDurable",
    fires: { redis_aof_enabled: always(0) },
    quiet: { redis_aof_enabled: always(1) },
    labels: {},
    summary: "Redis keeps no append-only file, so a crash loses orders.",
  },
  {
    alert: "LongpourStoreMemoryFills",
    fires: { redis_memory_used_bytes: always(900), redis_memory_max_bytes: always(1000) },
    quiet: { redis_memory_used_bytes: always(900), redis_memory_max_bytes: always(0) },
    labels: {},
    summary: "Redis uses 90% of its maxmemory.",
  },
];
