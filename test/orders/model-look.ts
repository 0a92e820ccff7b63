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
import type { Observation } from "./model-order.ts";

type Entries = readonly (readonly [string, readonly string[]])[];
type Found = ReadonlyMap<string, Order | undefined>;

async function findNow(orders: ParsedOrders, id: string): Promise<Order | undefined> {
  const outcome = await orders.find(id);
  return outcome.kind === "found" ? outcome.order : undefined;
}

/** One line an event, and a fault where the last one of an order does not hold what it is now. */
function readEvents(entries: Entries, { after, found }: { after: string; found: Found }): string[] {
  const seen = new Set<string>();
  const events = entries.flatMap((entry) => readEntry([entry[0], entry[1]], after));
  const lines = events.toReversed().map(({ type, orderId, members }) => {
    const order = found.get(orderId);
    const isTrue = seen.has(orderId) || Bun.deepEquals({ ...order, ...JSON.parse(`{${members}}`) }, order);
    seen.add(orderId);
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
  pipeline.hgetall(`${prefix}claims`).zrange(`${prefix}dead`, 0, "-1");
  for (const name of names) {
    pipeline
      .zrange(`${prefix}waiting:${name}`, 0, "-1")
      .zrange(`${prefix}leases:${name}`, 0, "-1")
      .zrange(`${prefix}scheduled:${name}`, 0, "-1")
      .xrange(`${prefix}queue:${name}`, "-", "+");
  }
  for (const id of ids) pipeline.get(`${prefix}order:${id}`).pttl(`${prefix}order:${id}`);
  const replies = ((await pipeline.exec()) ?? []).map(([, reply]) => reply);
  const entries = replies.shift() as Entries;
  const claims = replies.shift() as Observation["claims"];
  const dead = (replies.shift() as string[]).toSorted();
  const queues: Observation["queues"] = Object.fromEntries(
    names.map((name) => {
      const [waiting, leases, scheduled, open] = replies.splice(0, 4) as [string[], string[], string[], Entries];
      const named = open.map(([, [, id = ""]]) => id);
      const sorted = { leases: leases.toSorted(), scheduled: scheduled.toSorted(), entries: named.toSorted() };
      return [name, { waiting, ...sorted }];
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
  const events = readEvents(entries, { after: eventsSeen, found });
  return {
    observation: { events, claims, dead, queues, orders: states },
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
