/**
 * Owns one barista: takes the oldest order, brews, says that it is done, until the shift ends.
 *
 * **Invariants**
 * - An order that was taken is finished or released, also on Ctrl-C.
 * - No more are made than the quota allows.
 * - After a fault there is a pause.
 */
import { Type, type Static } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { call, describeAnswer, type Answer, type Reply } from "./call.ts";
import { backOffMs, between, pause } from "./pause.ts";
import type { Handover, StaffTally } from "./staff-tally.ts";

const Started = Type.Object({ order_id: Type.String(), placed_at: Type.String(), started_at: Type.String() });

/** What a finish with `next` answers, where there was one. */
const WithNext = Type.Object({ started: Started });

/** How an order ended, and the one that was taken with it. */
type Settled = { readonly handover: Handover; readonly next?: Static<typeof Started> | undefined };
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
  | { readonly kind: "again"; readonly retryAfterSeconds: number }
  | { readonly kind: "sent home" };

const LONGEST_WAIT_SECONDS = 20;
/**
 * How often a barista says that an order is done before giving it up, about ten minutes; at the end of a shift, less.
 */
const MOST_TRIES = 60;
const MOST_TRIES_AT_THE_END = 3;
const ANSWER_WITHIN_MS = 10_000;

/** Works until the signal, the quota or the idle end. Never rejects. */
export async function workShift(barista: string, shift: Shift): Promise<void> {
  let next: string | undefined;
  for (let failures = 0; next !== undefined || (!shift.signal.aborted && shift.quota.take());) {
    const taken: Taken = next === undefined ? await takeOrder(barista, shift) : { kind: "order", orderId: next };
    next = undefined;
    if (taken.kind === "order") {
      failures = 0;
      const made = await make(taken.orderId, barista, shift);
      if (made.handover !== "finished") shift.quota.giveBack();
      next = made.next;
      continue;
    }
    shift.quota.giveBack();
    if (taken.kind === "sent home" || isIdle(shift)) return;
    failures = taken.kind === "again" ? failures + 1 : 0;
    // Also after a plain "none yet": a server that does not hold the request must not be asked in a tight loop.
    await pause(backOffMs(failures, taken.kind === "again" ? taken.retryAfterSeconds : 0), shift.signal);
  }
}

async function takeOrder(barista: string, shift: Shift): Promise<Taken> {
  const wait = Math.ceil(Math.min(LONGEST_WAIT_SECONDS, shift.idleMs / 1000));
  const reply = await ask("GET", "/start/", { barista, wait: String(wait) }, shift, shift.signal);
  if (reply.kind === "hung up") return { kind: "none" };
  if (reply.kind === "connection lost") return { kind: "again", retryAfterSeconds: 0 };
  if (reply.status === 404) return { kind: "none" };
  if (isTransient(reply)) return { kind: "again", retryAfterSeconds: reply.retryAfterSeconds };
  if (reply.status !== 200 || !Value.Check(Started, reply.body)) return sendHome(reply, shift);
  shift.tally.start(reply.body.order_id, queuedMs(reply.body));
  return { kind: "order", orderId: reply.body.order_id };
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

function queuedMs({ started_at, placed_at }: Static<typeof Started>): number {
  return Date.parse(started_at) - Date.parse(placed_at);
}

/** Says what became of the order until the server has answered. Both verbs may be said twice. */
async function settle(verb: "finish" | "release", query: Record<string, string>, shift: Shift): Promise<Settled> {
  // The same one each time: a next order whose answer was lost comes again.
  const key = crypto.randomUUID();
  for (let attempt = 0; attempt < (shift.signal.aborted ? MOST_TRIES_AT_THE_END : MOST_TRIES); attempt++) {
    const reply = await ask("POST", `/${verb}/`, query, shift, AbortSignal.timeout(ANSWER_WITHIN_MS), key);
    if (reply.kind === "answer" && reply.status === 200) {
      const next = Value.Check(WithNext, reply.body) ? reply.body.started : undefined;
      return { handover: verb === "finish" ? "finished" : "released", next };
    }
    if (reply.kind === "answer" && !isTransient(reply)) return { handover: "conflicts" };
    await pause(backOffMs(attempt, reply.kind === "answer" ? reply.retryAfterSeconds : 0), shift.signal);
  }
  return { handover: "unsettled" };
}

async function ask(
  method: "GET" | "POST",
  path: string,
  query: Record<string, string>,
  shift: Shift,
  signal: AbortSignal,
  key?: string,
): Promise<Reply> {
  const url = new URL(`${path}?${new URLSearchParams(query).toString()}`, shift.url);
  const headers: Record<string, string> = shift.token ? { authorization: `Bearer ${shift.token}` } : {};
  if (key !== undefined) headers["idempotency-key"] = key;
  const reply = await call({ method, url, headers, signal });
  if (reply.kind === "connection lost") shift.tally.connectionsLost++;
  if (reply.kind === "answer" && isTransient(reply)) shift.tally.refusals++;
  return reply;
}

function isTransient({ status }: { readonly status: number }): boolean {
  return [429, 502, 503, 504].includes(status);
}

function isIdle({ tally, idleMs }: Shift): boolean {
  return performance.now() - tally.lastStartedMs > idleMs;
}

function sendHome(answer: Answer, { tally }: Shift): Taken {
  const wantsToken = answer.status === 401 || answer.status === 403;
  tally.fault(
    wantsToken ? `answered ${answer.status}: give the right --token, or STAFF_TOKEN` : describeAnswer(answer),
  );
  return { kind: "sent home" };
}
