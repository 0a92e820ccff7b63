/**
 * Owns the look at a shop in Redis that is compared with the model.
 *
 * **Invariants**
 * - What it shows is what the model shows too.
 */
import type { Redis } from "ioredis";
import { readEntry } from "../../src/events/event.ts";
import type { Order } from "../../src/orders/order.ts";
import { parseRecord } from "../support/state.ts";
import type { ParsedOrders } from "../support/wire.ts";
import type { Payment } from "../../src/orders/payment.ts";
import type { Observation, SeenPayment } from "./model-order.ts";

type Entries = readonly (readonly [string, readonly string[]])[];
type Found = ReadonlyMap<string, Order | undefined>;

async function findNow(orders: ParsedOrders, id: string): Promise<Order | undefined> {
  const outcome = await orders.find(id);
  return outcome.kind === "found" ? outcome.order : undefined;
}

/** The payments of these orders that have one. */
async function findPayments({ payments }: ParsedOrders, ids: readonly string[]): Promise<Map<string, Payment>> {
  const found = await Promise.all(ids.map(async (id) => [id, await payments.find(id)] as const));
  return new Map(
    found.flatMap(([id, outcome]) =>
      outcome.kind === "found" ? [[id, JSON.parse(outcome.payment) as Payment] as const] : [],
    ),
  );
}

/** A payment as it can be compared. */
export function seePayment(json: string): SeenPayment {
  const payment = JSON.parse(json) as Payment;
  const { status, kind, amount, error, refund_reason: refundReason, is_under_way: isUnderWay = false } = payment;
  const times = Object.keys(payment).filter((name) => /_(?:at|before)$/.test(name) && name !== "created_at");
  return { status, kind, amount, error, refundReason, isUnderWay, times: times.toSorted() };
}

interface Now {
  readonly after: string;
  readonly found: Found;
  readonly payments: ReadonlyMap<string, Payment>;
}

/** One line an event, and a fault where the last one of an order, or of its payment, does not hold what it is now. */
function readEvents(entries: Entries, { after, found, payments }: Now): string[] {
  const seen = new Set<string>();
  const events = entries.flatMap((entry) => readEntry([entry[0], entry[1]], after));
  const lines = events.toReversed().map(({ type, orderId, members }) => {
    const order = found.get(orderId);
    const { payment, ...changed } = JSON.parse(`{${members}}`) as { payment?: Payment };
    const isOrders = seen.has(orderId) || Bun.deepEquals({ ...order, ...changed }, order);
    const ofPayment = `payment of ${orderId}`;
    const isTrue = isOrders && (!payment || seen.has(ofPayment) || Bun.deepEquals(payment, payments.get(orderId)));
    seen.add(orderId);
    if (payment) seen.add(ofPayment);
    return `${type} ${orderId}${isTrue ? "" : ", but not as the order is"}`;
  });
  return lines.toReversed();
}

interface Looking {
  readonly client: Redis;
  readonly prefix: string;
  readonly queues: readonly string[];
  readonly ids: readonly string[];
  readonly eventsSeen: string;
}

/** Everything that the model shows too, and the id of the last event. */
export async function observe(orders: ParsedOrders, { client, prefix, queues: names, ids, eventsSeen }: Looking) {
  const pipeline = client.pipeline().xrange(`${prefix}events`, `(${eventsSeen}`, "+");
  pipeline.hgetall(`${prefix}claims`).zrange(`${prefix}dead`, 0, "-1").zrange(`${prefix}payments:open`, 0, "-1");
  for (const name of names) {
    pipeline
      .zrange(`${prefix}waiting:${name}`, 0, "-1")
      .zrange(`${prefix}leases:${name}`, 0, "-1")
      .zrange(`${prefix}scheduled:${name}`, 0, "-1")
      .zrange(`${prefix}unpaid:${name}`, 0, "-1")
      .xrange(`${prefix}queue:${name}`, "-", "+");
  }
  for (const id of ids) pipeline.get(`${prefix}order:${id}`).pttl(`${prefix}order:${id}`);
  const replies = ((await pipeline.exec()) ?? []).map(([, reply]) => reply);
  const entries = replies.shift() as Entries;
  const claims = replies.shift() as Observation["claims"];
  const dead = (replies.shift() as string[]).toSorted();
  const openPayments = (replies.shift() as string[]).toSorted();
  const queues: Observation["queues"] = Object.fromEntries(
    names.map((name) => {
      const [waiting = [], ...indexes] = replies.splice(0, 4) as string[][];
      const [leases = [], scheduled = [], unpaid = []] = indexes.map((index) => index.toSorted());
      const named = (replies.shift() as Entries).map(([, [, id = ""]]) => id);
      return [name, { waiting, leases, scheduled, unpaid, entries: named.toSorted() }];
    }),
  );
  // All of one tick: one command.
  const found = new Map(await Promise.all(ids.map(async (id) => [id, await findNow(orders, id)] as const)));
  const states: Observation["orders"] = Object.fromEntries(
    ids.map((id) => {
      const [record, ttlMs] = replies.splice(0, 2) as [string, number];
      const { expiries } = parseRecord(record);
      return [id, { ...describe(found.get(id)), expiries: Number(expiries), kept: ttlMs < 0 }];
    }),
  );
  const payments = await findPayments(orders, ids);
  const events = readEvents(entries, { after: eventsSeen, found, payments });
  const seen = [...payments].map(([id, payment]) => [id, seePayment(JSON.stringify(payment))] as const);
  return {
    observation: { events, claims, dead, queues, orders: states, payments: Object.fromEntries(seen), openPayments },
    lastEvent: entries.at(-1)?.[0] ?? eventsSeen,
  };
}

/** What the model shows of an order, as it is found. */
function describe(order: Partial<Order> = {}) {
  const { status, attempts = -1, barista: holder, reason, error, position, progress, retry_of, queue: name } = order;
  const callNumber = name === undefined ? undefined : order.number;
  const told = { status, attempts, barista: holder, reason, error, position };
  return { ...told, percent: progress?.percent, retryOf: retry_of, callNumber };
}
