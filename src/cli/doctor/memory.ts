/**
 * Owns the checks of Redis' memory: that nothing is evicted, and that there is room.
 *
 * **Invariants**
 * - Any policy but noeviction is a fault: the server does not start with it.
 */
import { Findings, rounded, type Finding } from "./finding.ts";

const eviction = new Findings("eviction");
const memory = new Findings("memory");

const WARNING_PART = 0.75;
const FAULT_PART = 0.95;
const MB = 1024 * 1024;

/** By INFO memory and stats. */
export function judgeEviction(info: ReadonlyMap<string, string>): Finding {
  const policy = info.get("maxmemory_policy") ?? "";
  const evicted = Number(info.get("evicted_keys") ?? 0);
  const values = { maxmemory_policy: policy, evicted_keys: evicted };
  if (policy !== "noeviction") {
    const lost = evicted > 0 ? `; ${evicted} keys were evicted already` : "";
    const advice =
      "CONFIG SET maxmemory-policy noeviction, and the same in redis.conf: the server does not start before";
    return eviction.fault(`maxmemory-policy is ${policy}: Redis may evict orders${lost}`, advice, values);
  }
  if (evicted > 0) {
    const advice = "look for orders that are gone (404); the policy is right now";
    return eviction.warning(`maxmemory-policy is noeviction, but ${evicted} keys were evicted before`, advice, values);
  }
  return eviction.ok("maxmemory-policy is noeviction", values);
}

export function judgeMemory(info: ReadonlyMap<string, string>): Finding {
  const used = Number(info.get("used_memory") ?? 0);
  const max = Number(info.get("maxmemory") ?? 0) || Number(info.get("total_system_memory") ?? 0);
  const bound = Number(info.get("maxmemory") ?? 0) > 0 ? "maxmemory" : "the machine's memory";
  const part = max > 0 ? used / max : 0;
  const values = { used_bytes: used, max_bytes: max, used_part: rounded(part) };
  const measured = `Redis uses ${Math.ceil(used / MB)} MB, ${Math.round(part * 100)}% of ${bound}`;
  if (part <= WARNING_PART) return memory.ok(measured, values);
  const advice = "give it more memory, or lower RETENTION_HOURS: when it is full, no order gets in";
  return part > FAULT_PART ? memory.fault(measured, advice, values) : memory.warning(measured, advice, values);
}
