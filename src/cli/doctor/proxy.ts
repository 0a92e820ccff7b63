/**
 * Owns the checks of what stands between customers and the server: whether it passes bytes on at once, and when it
 * cuts.
 *
 * **Invariants**
 * - What the proxy would do to a silence longer than a heartbeat can't be seen, and is not claimed.
 */
import { Findings, rounded, time, type Finding } from "./finding.ts";
import { ask } from "./http.ts";
import { hold, type Held } from "./held.ts";
import { ProbeOrder } from "./probe-order.ts";
import type { Targets } from "./targets.ts";

/** An event stream begins at once. */
const FIRST_BYTE_TIMEOUT_MS = 5000;
/** More heartbeats than this at once were gathered: two may meet on a slow network. */
const MAX_BEATS_AT_ONCE = 2;

const buffering = new Findings("buffering");
const cutOff = new Findings("cut-off");
const heartbeats = new Findings("heartbeats");

const PASS_ON =
  "let the proxy pass bytes on as they come: nginx honours X-Accel-Buffering, or set proxy_buffering off; other proxies: no buffering, no compression of answers";

type At = Targets & { readonly url: string };

/** Holds a request, and listens to an event stream. It lasts until the request is cut, or `maxSeconds`. */
export async function checkProxy(targets: At): Promise<readonly Finding[]> {
  const { url, signal, maxSeconds } = targets;
  const placed = await ProbeOrder.place(url);
  if (placed.kind === "refused") {
    const why = `the shop took no order to hold a request with (${placed.said})`;
    return [buffering, cutOff, heartbeats].map((findings) => findings.skipped(why));
  }
  const { order } = placed;
  let isCancelled: Promise<boolean> | undefined;
  const release = (): Promise<boolean> => (isCancelled ??= order.cancel());
  try {
    const stream = await checkBuffering(`${order.path}/events`, signal);
    const held = await hold({ url: `${order.path}?wait`, maxMs: maxSeconds * 1000, signal, release });
    const findings = [stream, judgeCutOff(held), judgeHeartbeats(held)];
    return (await release()) ? findings : [...findings, leftOver(order)];
  } finally {
    await release();
  }
}

function leftOver({ id }: ProbeOrder): Finding {
  return new Findings("order").warning(
    `the scheduled order that this measured with could not be cancelled: ${id}`,
    "cancel it: PATCH /order/:id with a status of cancelled",
  );
}

async function checkBuffering(url: string, signal: AbortSignal): Promise<Finding> {
  const begunMs = performance.now();
  const own = new AbortController();
  const timer = setTimeout(() => own.abort(), FIRST_BYTE_TIMEOUT_MS);
  try {
    const answer = await fetch(url, { redirect: "manual", signal: AbortSignal.any([signal, own.signal]) });
    const reader = answer.body?.getReader();
    const first = await reader?.read();
    const tookMs = performance.now() - begunMs;
    await reader?.cancel();
    const isStream = answer.headers.get("content-type")?.startsWith("text/event-stream") ?? false;
    if (!isStream || !first || first.done)
      return buffering.skipped(`the event stream was answered with ${answer.status}`);
    const measured = `an event stream's first byte came after ${time(tookMs)}`;
    return buffering.ok(measured, { first_byte_ms: rounded(tookMs) });
  } catch {
    if (signal.aborted) return buffering.skipped("interrupted");
    const measured = `no byte of an event stream came within ${time(FIRST_BYTE_TIMEOUT_MS)}: the proxy keeps them back, or cuts`;
    return buffering.fault(measured, PASS_ON, { first_byte_ms: null });
  } finally {
    clearTimeout(timer);
  }
}

/** When the request was cut. */
export function judgeCutOff({ kind, heldMs, status, arrivals }: Held): Finding {
  const values = { held_seconds: rounded(heldMs / 1000), is_cut: kind === "cut", status };
  const how = status >= 400 ? `${status} was answered` : "the connection was closed";
  if (kind === "answered")
    return cutOff.skipped(`the server ended the held request with ${status} after ${time(heldMs)}`);
  if (kind === "cut" && arrivals.every(({ text }) => !text.startsWith(" "))) {
    return cutOff.fault(
      `a held request on which nothing came was cut after ${time(heldMs)} (${how})`,
      "raise the proxy's read timeout above HEARTBEAT_SECONDS, best to a day (nginx: proxy_read_timeout 1d), or set HEARTBEAT_SECONDS below it. Of a proxy that asks a second server after its timeout this is the sum of both",
      values,
    );
  }
  if (kind === "cut") {
    return cutOff.fault(
      `a held request was cut after ${time(heldMs)} although heartbeats came (${how})`,
      "something on the way bounds a request's whole time: raise that bound, best to a day. Until then customers come back by themselves, if they use longpour/client or an Idempotency-Key",
      values,
    );
  }
  const { longestMs } = silences(arrivals, heldMs);
  const kept = `a held request was not cut in ${time(heldMs)}`;
  const why =
    arrivals.length > 0
      ? `: heartbeats keep it open (the longest silence was ${time(longestMs)}; what a longer one does can't be seen)`
      : "";
  return cutOff.ok(kept + why, { ...values, longest_silence_seconds: rounded(longestMs / 1000) });
}

/** Whether the signs of life came as they were sent. */
export function judgeHeartbeats({ kind, heldMs, arrivals, lateBeats, status }: Held): Finding {
  const bursts = arrivals.map(({ text }) => /^ */.exec(text)?.[0].length ?? 0).filter((beats) => beats > 0);
  const beats = bursts.reduce((sum, burst) => sum + burst, 0);
  const { everyMs } = silences(arrivals, heldMs);
  const values = {
    heartbeats: beats,
    late_heartbeats: lateBeats,
    every_seconds: beats > 1 ? rounded(everyMs / 1000) : null,
  };
  if (lateBeats > MAX_BEATS_AT_ONCE || bursts.some((burst) => burst > MAX_BEATS_AT_ONCE)) {
    const most = Math.max(lateBeats, ...bursts);
    return heartbeats.fault(`heartbeats are gathered on the way: ${most} came at once`, PASS_ON, values);
  }
  if (beats > 0)
    return heartbeats.ok(`${beats} came as they were sent${beats > 1 ? `, every ${time(everyMs)}` : ""}`, values);
  if (kind === "stuck") {
    const measured = `no byte came in ${time(heldMs)}, and not the answer either when its order was cancelled`;
    return heartbeats.fault(measured, PASS_ON, values);
  }
  if (kind === "cut") {
    return heartbeats.skipped(
      "none came before the request was cut: see cut-off; buffering says whether bytes come through",
      values,
    );
  }
  const advice = `none was due in ${time(heldMs)}`;
  return heartbeats.skipped(
    kind === "answered"
      ? `the request was answered with ${status}`
      : `${advice}: hold longer than HEARTBEAT_SECONDS with --max-seconds`,
    values,
  );
}

function silences(arrivals: Held["arrivals"], heldMs: number): { longestMs: number; everyMs: number } {
  const times = arrivals.map(({ atMs }) => atMs);
  const gaps = [...times, heldMs].map((atMs, index) => atMs - (times[index - 1] ?? 0));
  const first = times[0] ?? 0;
  const last = times.at(-1) ?? 0;
  return { longestMs: Math.max(...gaps), everyMs: times.length > 1 ? (last - first) / (times.length - 1) : first };
}

/** Whether the customers' port takes requests. */
export async function checkCustomersPort({ url, signal }: At): Promise<Finding> {
  const port = new Findings("customers-port");
  const answer = await ask(`${url}/readyz`, { signal });
  const values = { status: answer.status, took_ms: rounded(answer.tookMs) };
  if (answer.status === 200) return port.ok(`it answers in ${time(answer.tookMs)} and takes orders`, values);
  const advice =
    "look at the server's log, and at its Redis; 502 and 504 come from a proxy that does not reach the server";
  return port.fault(`/readyz was answered with ${answer.status}`, advice, values);
}
