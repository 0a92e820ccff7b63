/**
 * Owns the check of what is on disk: whether an order that was answered outlives Redis.
 *
 * **Invariants**
 * - A setting that may not be read is a warning, never taken for right.
 */
import { Findings, type Finding } from "./finding.ts";
import type { RedisLink } from "./redis-link.ts";

const durability = new Findings("durability");

const AS_IN_CONF = "as in redis/redis.conf: CONFIG SET it, and write it into your redis.conf";

export interface Persistence {
  readonly isAppending: boolean;
  readonly lastWrite: string;
  readonly lastRewrite: string;
  /** Undefined: this user may not read settings. */
  readonly appendfsync: string | undefined;
  readonly noFsyncOnRewrite: string | undefined;
}

export async function checkDurability(link: RedisLink): Promise<Finding> {
  return judgeDurability({
    isAppending: link.field("aof_enabled") === "1",
    lastWrite: link.field("aof_last_write_status"),
    lastRewrite: link.field("aof_last_bgrewrite_status"),
    appendfsync: await link.setting("appendfsync"),
    noFsyncOnRewrite: await link.setting("no-appendfsync-on-rewrite"),
  });
}

export function judgeDurability(found: Persistence): Finding {
  const { isAppending, lastWrite, lastRewrite, appendfsync, noFsyncOnRewrite } = found;
  const values = { appendonly: isAppending, appendfsync: appendfsync ?? null };
  if (!isAppending) {
    return durability.fault(
      "appendonly is no: a restart of Redis loses orders",
      `set appendonly yes, ${AS_IN_CONF}`,
      values,
    );
  }
  if (lastWrite !== "ok") {
    const advice = "free space on Redis' disk, and look into its log: it refuses writes meanwhile (MISCONF)";
    return durability.fault(`the last write of the append-only file failed (${lastWrite})`, advice, values);
  }
  if (appendfsync === undefined) {
    const advice = "look at CONFIG GET appendfsync as a user who may: it should be always";
    return durability.warning("appendonly is yes; this user may not read appendfsync", advice, values);
  }
  const always = `set appendfsync always, ${AS_IN_CONF}`;
  if (appendfsync === "no") {
    return durability.fault("appendfsync is no: a crash of the machine loses half a minute of orders", always, values);
  }
  if (appendfsync !== "always") {
    const measured = `appendfsync is ${appendfsync}: a crash of the machine loses what was answered in the last second`;
    return durability.warning(measured, always, values);
  }
  if (noFsyncOnRewrite === "yes") {
    const advice = `set no-appendfsync-on-rewrite no, ${AS_IN_CONF}`;
    return durability.warning("during a rewrite nothing is synced (no-appendfsync-on-rewrite)", advice, values);
  }
  if (lastRewrite !== "ok") {
    const advice = "look into Redis' log: it needs room on disk and in memory for both files";
    return durability.warning(`the last rewrite of the append-only file failed (${lastRewrite})`, advice, values);
  }
  return durability.ok("appendonly is yes, appendfsync is always: what was answered is on disk", values);
}
