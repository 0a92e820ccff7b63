/**
 * Owns one barista: takes the oldest order, brews, says that it is done, until the shift ends.
 *
 * **Invariants**
 * - An order that was taken is finished or released, also on Ctrl-C.
 * - No more are made than the quota allows.
 * - A request that failed is made again as the client makes its own, and under the same key.
 */
import { Type, type Static } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { createAsking, type Accept, type Ask, type Retry } from "../client/ask.ts";
import { between, pause } from "../client/pause.ts";
import { OrderRefused } from "../client/problem.ts";
import { createFetch } from "./fetch.ts";
import type { Handover, StaffTally } from "./staff-tally.ts";

const Started = Type.Object({ order_id: Type.String(), placed_at: Type.String(), started_at: Type.String() });
type Started = Static<typeof Started>;

/** What a finish with `next` answers, where there was one. */
const WithNext = Type.Object({ started: Started });

/** How an order ended, and the one that was taken with it. */
type Settled = { readonly handover: Handover; readonly next?: Started | undefined };
type Handed = { readonly started?: Started | undefined };
type Made = { readonly handover: Handover; readonly next: string | undefined };

/** How many orders are still to be made; shared by all baristas of a shift. */
export class Quota {
  #left: number;

  constructor(orders: number) {
    this.#left = orders;
  }

  take(): boolean {
    return this.#left > 0 && this.#left-- > 0;
  }

  giveBack(): void {
    this.#left++;
  }
}

/** What the baristas of one shift have in common. */
export type Shift = {
  readonly url: URL;
  /** Empty: none. */
  readonly token: string;
  readonly brewMinMs: number;
  readonly brewMaxMs: number;
  /** The shift ends when no order came for so long; Infinity: never. */
  readonly idleMs: number;
  readonly quota: Quota;
  readonly tally: StaffTally;
  /** Aborting ends the shift; what is being brewed is released. */
  readonly signal: AbortSignal;
};

type Taken =
  | { readonly kind: "order"; readonly orderId: string }
  | { readonly kind: "none" }
  | { readonly kind: "sent home" };

const MAX_WAIT_SECONDS = 20;
/** How long a barista says that an order is done before giving it up; at the end of a shift, how often. */
const SETTLE_WITHIN_MS = 600_000;
const MAX_TRIES_AT_THE_END = 3;
const ANSWER_WITHIN_SECONDS = 10;
/** After "none yet": a server that does not hold the request must not be asked in a tight loop. */
const NONE_YET_MS = [100, 250] as const;

/** Works until the signal, the quota or the idle end. Never rejects. */
export async function workShift(barista: string, shift: Shift): Promise<void> {
  let next: string | undefined;
  while (next !== undefined || (!shift.signal.aborted && shift.quota.take())) {
    const taken: Taken = next === undefined ? await takeOrder(barista, shift) : { kind: "order", orderId: next };
    next = undefined;
    if (taken.kind === "order") {
      const made = await make(taken.orderId, barista, shift);
      if (made.handover !== "finished") shift.quota.giveBack();
      next = made.next;
      continue;
    }
    shift.quota.giveBack();
    if (taken.kind === "sent home" || isIdle(shift)) return;
    await pause(between(...NONE_YET_MS), shift.signal);
  }
}

/** Asks for an order until there is one, there is none, or the shift has been idle for too long. */
async function takeOrder(barista: string, shift: Shift): Promise<Taken> {
  const { signal } = shift;
  const wait = Math.ceil(Math.min(MAX_WAIT_SECONDS, shift.idleMs / 1000));
  const ask = asking(shift, { mayRetry: () => !isIdle(shift), silenceSeconds: wait + ANSWER_WITHIN_SECONDS });
  const path = pathOf("start", { barista, wait: String(wait) });
  try {
    const started = await ask({ path, signal }, acceptStart);
    if (!started) return { kind: "none" };
    shift.tally.start(started.order_id, queuedMs(started));
    return { kind: "order", orderId: started.order_id };
  } catch (error) {
    if (!(error instanceof OrderRefused)) return { kind: "none" };
    return sendHome(error, shift);
  }
}

/** Brews and finishes, taking the next order in the same request; or, at the end of the shift, releases. */
async function make(orderId: string, barista: string, shift: Shift): Promise<Made> {
  await pause(between(shift.brewMinMs, shift.brewMaxMs), shift.signal);
  const verb = shift.signal.aborted ? "release" : "finish";
  const wantsNext = verb === "finish" && shift.quota.take();
  const query = { order_id: orderId, barista, ...(wantsNext ? { next: "0" } : undefined) };
  const { handover, next } = await settle(verb, query, shift);
  shift.tally.handOver(orderId, handover);
  if (next) shift.tally.start(next.order_id, queuedMs(next));
  else if (wantsNext) shift.quota.giveBack();
  return { handover, next: next?.order_id };
}

function queuedMs({ started_at, placed_at }: Started): number {
  return Date.parse(started_at) - Date.parse(placed_at);
}

/** Says what became of the order until the server has answered. Both verbs may be said twice. */
async function settle(verb: "finish" | "release", query: Record<string, string>, shift: Shift): Promise<Settled> {
  // The same one each time: a next order whose answer was lost comes again.
  const headers = { "Idempotency-Key": crypto.randomUUID() };
  try {
    const { started } = await insist({ path: pathOf(verb, query), method: "POST", headers }, shift);
    return { handover: verb === "finish" ? "finished" : "released", next: started };
  } catch (error) {
    return { handover: error instanceof OrderRefused ? "conflicts" : "unsettled" };
  }
}

/** The end of the shift cuts short what was being said: then it is said again, a few times at most. */
async function insist(request: Ask, shift: Shift): Promise<Handed> {
  const { signal } = shift;
  const silenceSeconds = ANSWER_WITHIN_SECONDS;
  const deadline = performance.now() + SETTLE_WITHIN_MS;
  const patient = asking(shift, { silenceSeconds, mayRetry: () => performance.now() < deadline });
  const hasty = asking(shift, { silenceSeconds, mayRetry: ({ attempt }) => attempt < MAX_TRIES_AT_THE_END });
  if (!signal.aborted) {
    try {
      return await patient({ ...request, signal }, acceptHandover);
    } catch (error) {
      if (!signal.aborted || error instanceof OrderRefused) throw error;
    }
  }
  return await hasty(request, acceptHandover);
}

/** Thrown when a request is not made again. */
class GaveUp extends Error {}

interface Trying {
  readonly mayRetry: (retry: Retry) => boolean;
  readonly silenceSeconds: number;
}

/** Requests of a barista, each tried again for as long as `mayRetry` says so. */
function asking({ url, token, tally }: Shift, { mayRetry, silenceSeconds }: Trying) {
  return createAsking({
    url: url.origin,
    fetch: createFetch(),
    headers: token ? { Authorization: `Bearer ${token}` } : {},
    silenceSeconds,
    onRetry: (retry) => {
      if (retry.reason === "busy") tally.refusals++;
      else tally.connectionsLost++;
      if (!mayRetry(retry)) throw new GaveUp(retry.reason);
    },
  });
}

function pathOf(verb: string, query: Readonly<Record<string, string>>): string {
  return `/${verb}/?${new URLSearchParams(query).toString()}`;
}

const acceptStart: Accept<Started | undefined> = ({ ok, status, json }) => {
  if (status === 404) return { kind: "done", value: undefined };
  return ok && Value.Check(Started, json) ? { kind: "done", value: json } : undefined;
};

/** An order that is settled, or that and the next. */
const acceptHandover: Accept<Handed> = ({ status, json }) => {
  if (status !== 200 || json === undefined) return undefined;
  return { kind: "done", value: Value.Check(WithNext, json) ? json : {} };
};

function isIdle({ tally, idleMs }: Shift): boolean {
  return performance.now() - tally.lastStartedMs > idleMs;
}

function sendHome({ status, title, detail }: OrderRefused, { tally }: Shift): Taken {
  const wantsToken = status === 401 || status === 403;
  const said = `answered ${status}: ${(detail || title).slice(0, 120)}`;
  tally.fault(wantsToken ? `answered ${status}: give the right --token, or STAFF_TOKEN` : said);
  return { kind: "sent home" };
}
