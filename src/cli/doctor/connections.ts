/**
 * Owns the check of Redis' connections: whether all servers' fit below maxclients, and one more in a deploy.
 *
 * **Invariants**
 * - A server is reckoned with all the connections that it may open.
 */
import { Findings, type Finding } from "./finding.ts";
import type { Targets } from "./targets.ts";

const connections = new Findings("connections");

/** Of each server, beside its lanes: commands, wakes, events. */
const OTHERS = 3;

/** By INFO clients. */
export function judgeConnections(
  info: ReadonlyMap<string, string>,
  { lanes, servers }: Pick<Targets, "lanes" | "servers">,
): Finding {
  const max = Number(info.get("maxclients") ?? NaN);
  const open = Number(info.get("connected_clients") ?? 0);
  const each = lanes + OTHERS;
  const needed = servers * each;
  const values = { maxclients: max, connected: open, needed_by_servers: needed, needed_by_each: each };
  if (Number.isNaN(max)) return connections.skipped("this Redis does not say its maxclients");
  const has = `maxclients is ${max}, ${open} are connected`;
  const need = `${servers} ${servers === 1 ? "server takes" : "servers take"} up to ${needed} (LANES ${lanes} and ${OTHERS} each)`;
  const advice = `set maxclients to ${Math.max(needed + each, open + each) + 32} or more (Redis lowers it where its open files, ulimit -n, are fewer), or lower LANES`;
  if (max < needed) return connections.fault(`${has}; ${need}: they don't fit`, advice, values);
  if (max < needed + each || max - open < each) {
    return connections.warning(`${has}; ${need}: one more in a deploy does not fit`, advice, values);
  }
  return connections.ok(`${has}; ${need}`, values);
}
