/**
 * Owns the check of a silent master: a Redis that is there and does not do a master's work.
 *
 * It can be silent in four ways: it takes connections and answers nothing; it is a replica, whose own master may be
 * silent; it refuses writes for want of replicas; its replicas do not acknowledge what it writes.
 *
 * **Invariants**
 * - Each way is looked for within a bound, and is a finding of its own.
 */
import { Findings, rounded, time, type Finding } from "./finding.ts";
import { SILENCE_MS, type Opened, type RedisLink } from "./redis-link.ts";
import type { Targets } from "./targets.ts";

const master = new Findings("master");
const replicas = new Findings("replicas");

/** A healthy replica acknowledges once a second. */
const MAX_LAG_SECONDS = 10;
const WAIT_MS = 1000;
const SLOW_PING_MS = 50;

/** Why there is no talking to it. */
export function judgeClosed(opened: Exclude<Opened, { kind: "open" }>): Finding {
  switch (opened.kind) {
    case "silent": {
      const measured = `Redis takes the connection and answers nothing within ${time(SILENCE_MS)}: a silent master`;
      const advice =
        "look at its process and its disk (stopped, swapping, or a write that hangs): restart it, or fail over";
      return master.fault(measured, advice, { is_silent: true });
    }
    case "denied":
      return master.fault(`Redis refused the login (${opened.said})`, "put the right user and password into --redis");
    case "unable":
      return master.fault(`Redis can't serve now (${opened.said})`, "wait until it has loaded, or do what it says");
    case "unreachable":
      return master.fault(
        `Redis can't be reached (${opened.said})`,
        "start it, or put the right host and port into --redis",
      );
  }
}

/** By INFO replication. */
export function judgeRole(info: ReadonlyMap<string, string>, pingMs: number): Finding {
  const field = (name: string): string => info.get(name) ?? "";
  const values = { role: field("role"), ping_ms: rounded(pingMs), is_silent: false };
  if (field("redis_mode") !== "standalone") {
    const advice = "name a server without cluster mode, and no Sentinel";
    return master.fault(`this is a ${field("redis_mode")}`, advice, values);
  }
  if (field("role") === "slave") {
    const isDown = field("master_link_status") !== "up";
    const its = isDown ? `, and its master is silent (for ${field("master_link_down_since_seconds") || "?"} s)` : "";
    const advice = `name its master, ${field("master_host")}:${field("master_port")}, or promote it`;
    return master.fault(`this Redis is a replica, which takes no writes${its}`, advice, values);
  }
  if (field("master_failover_state") && field("master_failover_state") !== "no-failover") {
    return master.warning("a failover is under way: writes wait", "look again when it is over", values);
  }
  if (pingMs > SLOW_PING_MS) {
    const advice = "look for a busy core, swapping or a slow network (redis-cli --latency)";
    return master.warning(`Redis answers, but took ${time(pingMs)} for a PING`, advice, values);
  }
  return master.ok(`Redis is a master, and answers a PING in ${time(pingMs)}`, values);
}

/** Whether its replicas take what it writes. */
export async function checkReplicas(link: RedisLink, { shop }: Targets): Promise<Finding> {
  const count = link.number("connected_slaves");
  const wanted = Number((await link.setting("min-replicas-to-write")) ?? 0);
  const values = { replicas: count, min_replicas_to_write: wanted };
  if (wanted > 0 && count < wanted) {
    const advice =
      "bring replicas back, or lower min-replicas-to-write: until then Redis refuses each write (NOREPLICAS)";
    return replicas.fault(`${count} replicas are connected, and min-replicas-to-write is ${wanted}`, advice, values);
  }
  if (count === 0) return replicas.ok("there is none: a failover is not possible, and nothing can lag", values);
  const key = `{${shop}}:doctor:${crypto.randomUUID()}`;
  await link.redis.set(key, "1", "PX", 10_000);
  const acknowledged = await link.redis.wait(count, WAIT_MS);
  await link.redis.del(key);
  const lags = Array.from({ length: count }, (_, index) => /lag=(\d+)/.exec(link.field(`slave${index}`))?.[1]);
  const worst = Math.max(...lags.map((lag) => Number(lag ?? 0)));
  const all = { ...values, acknowledged, lag_seconds: worst };
  if (acknowledged < count || worst > MAX_LAG_SECONDS) {
    const measured = `${acknowledged} of ${count} replicas acknowledged a write within ${time(WAIT_MS)} (longest lag ${worst} s)`;
    return replicas.warning(measured, "look at the silent replicas: a failover to one would lose the last orders", all);
  }
  return replicas.ok(`all ${count} replicas acknowledged a write within ${time(WAIT_MS)}`, all);
}
