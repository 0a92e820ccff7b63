/**
 * Owns the check of the clocks: Redis' and the server's against this machine's.
 *
 * **Invariants**
 * - A difference that the measuring itself may have made is none.
 */
import { Findings, rounded, time, type Finding } from "./finding.ts";
import { ask } from "./http.ts";
import type { RedisLink } from "./redis-link.ts";
import type { Targets } from "./targets.ts";

const redisClock = new Findings("redis-clock");
const serverClock = new Findings("server-clock");

const SAMPLES = 5;
/** A Date has whole seconds, and servers make it anew once a second: it is up to two behind. */
const DATE_MS = 1000;
const WARNING_MS = 1000;
/** Orders are scheduled and end by Redis' clock, pages and logs show the others. */
const FAULT_MS = 60_000;

/** How far another clock is ahead of this one, and how wrong that may be. */
export interface Offset {
  readonly aheadMs: number;
  readonly uncertainMs: number;
}

export async function checkRedisClock(link: RedisLink): Promise<Finding> {
  let best: Offset = { aheadMs: 0, uncertainMs: Infinity };
  for (let sample = 0; sample < SAMPLES; sample++) {
    const sentMs = Date.now();
    const [seconds = 0, micros = 0] = (await link.redis.time()).map(Number);
    const gotMs = Date.now();
    const uncertainMs = (gotMs - sentMs) / 2 + 1;
    const aheadMs = seconds * 1000 + micros / 1000 - (sentMs + gotMs) / 2;
    if (uncertainMs < best.uncertainMs) best = { aheadMs, uncertainMs };
  }
  return judgeClock(redisClock, "Redis'", best);
}

/** By the Date header, which is a proxy's own where one sets it. */
export async function checkServerClock({ url, signal }: Targets & { url: string }): Promise<Finding> {
  const sentMs = Date.now();
  const answer = await ask(`${url}/livez`, { signal });
  const middleMs = sentMs + answer.tookMs / 2;
  const dateMs = Date.parse(answer.headers.get("date") ?? "");
  if (Number.isNaN(dateMs)) return serverClock.skipped("the server sends no Date header");
  const offset = { aheadMs: dateMs + DATE_MS - middleMs, uncertainMs: DATE_MS + answer.tookMs / 2 };
  return judgeClock(serverClock, "the server's (or its proxy's)", offset);
}

export function judgeClock(clock: Findings, whose: string, { aheadMs, uncertainMs }: Offset): Finding {
  const values = { ahead_ms: rounded(aheadMs), uncertain_ms: rounded(uncertainMs) };
  const offMs = Math.max(0, Math.abs(aheadMs) - uncertainMs);
  if (offMs <= WARNING_MS) {
    return clock.ok(`${whose} clock is this machine's, to within ${time(Math.abs(aheadMs) + uncertainMs)}`, values);
  }
  const measured = `${whose} clock is ${time(Math.abs(aheadMs))} ${aheadMs > 0 ? "ahead of" : "behind"} this machine's`;
  const advice = "set all clocks by NTP (chrony, systemd-timesyncd): leases and scheduled orders go by Redis'";
  return offMs > FAULT_MS ? clock.fault(measured, advice, values) : clock.warning(measured, advice, values);
}
