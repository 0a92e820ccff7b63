/**
 * Owns one customer: asks for a coffee and waits for it, for as long as it takes.
 * Always holds: however often a customer asks, the Idempotency-Key stays the same, so that there is one order; and between tries there is a pause.
 */
import { Type, type Static } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { call, describeAnswer, type Answer, type Reply } from "./call.ts";
import { backOffMs, pause } from "./pause.ts";
import type { CustomerTally, Ending } from "./tally.ts";

const Order = Type.Object({
  order_id: Type.String(),
  status: Type.String(),
  item: Type.String(),
  customer_name: Type.String(),
});

export type Visit = {
  readonly url: URL;
  /** Unique in the run: it tells whether the coffee is this customer's. */
  readonly name: string;
  readonly item: string;
  readonly localAddress?: string;
  /** Whether to ask again after a refusal or a lost connection. */
  readonly patient: boolean;
  readonly tally: CustomerTally;
  readonly signal: AbortSignal;
};

/** What a reply means to the customer: the end, or a reason to ask again. */
type Verdict =
  | { readonly kind: "end"; readonly ending: Ending; readonly fault?: string }
  | { readonly kind: "again"; readonly why: "refused" | "lost"; readonly retryAfterSeconds: number };

const TURNED_AWAY = new Set([429, 502, 503, 504]);
const MOST_REDIRECTS = 5;

/** Orders, waits, and counts in the visit's tally how it ended. Never rejects. */
export async function visit(guest: Visit): Promise<void> {
  const { tally, signal } = guest;
  const idempotencyKey = crypto.randomUUID();
  const arrivedMs = performance.now();
  tally.arrived++;
  let wasCut = false;
  for (let attempt = 0; ; attempt++) {
    const verdict = judge(await ask(guest, idempotencyKey), guest);
    if (verdict.kind === "end") {
      if (wasCut && verdict.ending === "served") tally.resumed++;
      return tally.end(verdict.ending, { waitedMs: performance.now() - arrivedMs, fault: verdict.fault });
    }
    wasCut ||= verdict.why === "lost";
    if (verdict.why === "lost") tally.connectionsLost++;
    else tally.refusals++;
    if (!guest.patient) return tally.end(verdict.why, { waitedMs: 0 });
    await pause(backOffMs(attempt, verdict.retryAfterSeconds), signal);
  }
}

/** POST /order/, and GET wherever 303 sends us. */
async function ask({ url, name, item, localAddress, signal }: Visit, idempotencyKey: string): Promise<Reply> {
  let target = new URL("/order/", url);
  const headers = { "idempotency-key": idempotencyKey };
  let reply = await call({
    method: "POST",
    url: target,
    headers,
    json: { item, customer_name: name },
    localAddress,
    signal,
  });
  for (let hop = 0; hop < MOST_REDIRECTS; hop++) {
    const next = redirectOf(reply, target);
    if (!next) break;
    target = next;
    reply = await call({ method: "GET", url: target, localAddress, signal });
  }
  return reply;
}

function redirectOf(reply: Reply, from: URL): URL | undefined {
  if (reply.kind !== "answer" || reply.status !== 303 || !reply.location) return undefined;
  const next = URL.parse(reply.location, from.href);
  return next?.protocol === "http:" ? next : undefined;
}

function judge(reply: Reply, guest: Visit): Verdict {
  // Who is still waiting when the time is up has been let down; who hangs up has not.
  if (reply.kind === "hung up") return { kind: "end", ending: guest.signal.reason === "time is up" ? "lost" : "left" };
  if (reply.kind === "connection lost") return { kind: "again", why: "lost", retryAfterSeconds: 0 };
  const { status, retryAfterSeconds } = reply;
  // A server that is stopping may send us in a circle; coming back later finds another one.
  if (TURNED_AWAY.has(status) || status === 303) return { kind: "again", why: "refused", retryAfterSeconds };
  if (status !== 200) return { kind: "end", ending: "failed", fault: describeAnswer(reply) };
  return judgeCoffee(reply, guest);
}

function judgeCoffee({ body }: Answer, guest: Visit): Verdict {
  // A held answer starts before there is an order to tell; one that stops there is a connection lost, in good form.
  if (body === undefined) return { kind: "again", why: "lost", retryAfterSeconds: 0 };
  if (!Value.Check(Order, body)) return { kind: "end", ending: "failed", fault: "answered 200 without an order" };
  if (!isMine(body, guest)) return { kind: "end", ending: "wrong" };
  if (!guest.tally.claim(body.order_id, guest.name)) return { kind: "end", ending: "doubled" };
  if (body.status === "ready") return { kind: "end", ending: "served" };
  if (body.status === "cancelled") return { kind: "end", ending: "cancelled" };
  return { kind: "end", ending: "failed", fault: `answered 200 while ${body.status}` };
}

function isMine(order: Static<typeof Order>, { name, item }: Visit): boolean {
  return order.customer_name === name && order.item === item;
}
