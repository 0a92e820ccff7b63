/**
 * Owns the measuring of what an fsync takes: each turn of Redis that changes something waits for one.
 *
 * It is the round trip of a SET without that of a PING. Only `appendfsync always` makes a SET wait for the disk.
 *
 * **Invariants**
 * - The key is the shop's, has a TTL, and is deleted.
 */
import { Findings, rounded, said, time, type Finding } from "./finding.ts";
import type { RedisLink } from "./redis-link.ts";
import type { Targets } from "./targets.ts";

const fsync = new Findings("fsync");

const ROUNDS = 50;
const KEY_MS = 60_000;
/** From here on each customer notices, and a second holds fewer commits than a rush needs. */
const WARNING_MS = 20;
const FAULT_MS = 250;

export async function checkFsync(link: RedisLink, { shop }: Targets): Promise<Finding> {
  const key = `{${shop}}:doctor:${crypto.randomUUID()}`;
  try {
    const pings = await measure(() => link.redis.ping());
    const sets = await measure(() => link.redis.set(key, "1", "PX", KEY_MS));
    const isAlways = (await link.setting("appendfsync")) === "always" && link.field("aof_enabled") === "1";
    return judgeFsync({ pings, sets, isAlways, spikes: await readSpikes(link) });
  } catch (error) {
    const advice = "give the user the rights in .env.example, or do what Redis says";
    return fsync.fault(`Redis refused a write (${said(error)})`, advice);
  } finally {
    await link.redis.del(key).catch(() => {});
  }
}

async function measure(call: () => Promise<unknown>): Promise<readonly number[]> {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const begunMs = performance.now();
    await call();
    times.push(performance.now() - begunMs);
  }
  return times.toSorted((one, other) => one - other);
}

/** The slowest fsync that Redis has noted itself (LATENCY LATEST); undefined where it notes none, or may not tell. */
async function readSpikes(link: RedisLink): Promise<number | undefined> {
  const events: unknown = await link.redis.call("LATENCY", "LATEST").catch(() => []);
  const all = Array.isArray(events) ? (events as unknown[][]) : [];
  const slowest = all.filter(([name]) => String(name).startsWith("aof-")).map((event) => Number(event[3]));
  return slowest.length > 0 ? Math.max(...slowest) : undefined;
}

interface Measured {
  /** Sorted. */
  readonly pings: readonly number[];
  readonly sets: readonly number[];
  readonly isAlways: boolean;
  readonly spikes: number | undefined;
}

export function judgeFsync({ pings, sets, isAlways, spikes }: Measured): Finding {
  const median = (times: readonly number[]): number => times[times.length >> 1] ?? 0;
  const fsyncMs = Math.max(0, median(sets) - median(pings));
  const slowestMs = sets.at(-1) ?? 0;
  const values = {
    ping_ms: rounded(median(pings)),
    set_ms: rounded(median(sets)),
    fsync_ms: isAlways ? rounded(fsyncMs) : null,
    slowest_set_ms: rounded(slowestMs),
    slowest_noted_ms: spikes ?? null,
  };
  const noted = spikes === undefined ? "" : `; the slowest that Redis noted took ${time(spikes)}`;
  const trips = `a SET takes ${time(median(sets))} (slowest of ${ROUNDS}: ${time(slowestMs)}), a PING ${time(median(pings))}`;
  if (!isAlways) return fsync.skipped(`${trips}; without appendfsync always no SET waits for the disk`, values);
  const measured = `an fsync takes ${time(fsyncMs)}: ${trips}${noted}`;
  if (fsyncMs <= WARNING_MS) return fsync.ok(measured, values);
  const advice = "put Redis' folder on a local SSD, apart from other writers: each order waits for it three times";
  return fsyncMs > FAULT_MS ? fsync.fault(measured, advice, values) : fsync.warning(measured, advice, values);
}
