/**
 * Owns what an event is: its types, its id, its order among the others.
 *
 * **Invariants**
 * - Scripts append events, each in the same step as its change. Nothing here writes one.
 * - Events of one step share a stream entry.
 * - They are numbered without gaps, so each has an id of its own.
 */
import { DEFAULT_QUEUE } from "../queue-settings.ts";

/** Every type that scripts append; machines add their own, such as `compute/start` (operations/note.ts). */
export const EVENT_TYPES = [
  "order.reserved",
  "order.unpaid",
  "order.placed",
  "order.scheduled",
  "order.queued",
  "order.started",
  "order.finished",
  "order.failed",
  "order.released",
  "order.extended",
  "order.progressed",
  "order.cancelled",
  "payment.attempted",
  "payment.declined",
  "payment.authorised",
  "payment.taken",
  "payment.captured",
  "payment.failed",
  "payment.refunding",
  "payment.refused",
  "payment.refunded",
  "shop.changed",
  "shop.refused",
  "menu.changed",
] as const;

/** The type of a frame: of an event, or of what comes first where some events are no longer kept. */
export type FrameType = (typeof EVENT_TYPES)[number] | "events.missed";

/** What never changes of an order for machines begins so (`redis/operations/call.lua`). */
const NAMES_QUEUE = /^\{"number":\d+,"queue":"([\w-]+)"/;

/** Whether an event is of that queue, or of the shop itself. */
export function isOfQueue({ orderId, data }: ShopEvent, queue: string): boolean {
  return orderId === "" || (NAMES_QUEUE.exec(data)?.[1] ?? DEFAULT_QUEUE) === queue;
}

/** The last event of an order is one of these; of its payment some may come after it. */
export const FINAL_TYPES: readonly string[] = ["order.finished", "order.cancelled"];

/** Those of a payment, each of its order's id. */
export const PAYMENT_TYPES: readonly string[] = EVENT_TYPES.filter((type) => type.startsWith("payment."));

/** `<ms since 1970>-<number>`. The last event of a stream entry has the entry's id. */
export type EventId = string;

export interface ShopEvent {
  readonly id: EventId;
  readonly type: string;
  /** Empty: it is the shop's own. */
  readonly orderId: string;
  /** A JSON object; of an order without its id. */
  readonly data: string;
}

/** The events that a listener wants. */
export interface Wanted {
  /** Undefined: of everything. */
  readonly orderId?: string | undefined;
  /** Undefined: all types. */
  readonly types?: readonly string[] | undefined;
  /** Of the orders of that queue, and of the shop itself; undefined: of all queues. */
  readonly queue?: string | undefined;
  /** Nothing is wanted after an event of these types; undefined: it goes on. */
  readonly until?: readonly string[] | undefined;
}

/** Whether nothing is wanted after that event. */
export function isLast({ type }: Pick<ShopEvent, "type">, { until }: Pick<Wanted, "until">): boolean {
  return until?.includes(type) ?? false;
}

/** Whether the text can be an id. Longer numbers would not be exact here, and no clock makes them. */
export function isEventId(text: string): boolean {
  return /^(0|[1-9]\d{0,14})-(0|[1-9]\d{0,14})$/.test(text);
}

/** When an event was appended, ms since 1970, by Redis's clock. */
export function msOf(id: EventId): number {
  return Number(id.slice(0, id.indexOf("-")));
}

/** Whether `id` comes before `other`. */
export function isBefore(id: EventId, other: EventId): boolean {
  const difference = msOf(id) - msOf(other);
  return difference < 0 || (difference === 0 && numberOf(id) < numberOf(other));
}

export function isFinalEvent({ type }: Pick<ShopEvent, "type">): boolean {
  return FINAL_TYPES.includes(type);
}

/** The number of an event: they are numbered without gaps. */
export function numberOf(id: EventId): number {
  return Number(id.slice(id.indexOf("-") + 1));
}

/** An event as its entry holds it: what changed of an order, as JSON members. */
export interface Change {
  readonly id: EventId;
  readonly type: string;
  /** Empty: it is the shop's own. */
  readonly orderId: string;
  readonly members: string;
}

/**
 * Reads the events of a stream entry that come after an id, as `redis/lib/events.lua` writes them: type, then id, tab,
 * members.
 */
export function readEntry([entryId, fields]: readonly [string, readonly string[]], after: EventId): Change[] {
  const ms = entryId.slice(0, entryId.indexOf("-"));
  const first = numberOf(entryId) - fields.length / 2 + 1;
  const changes: Change[] = [];
  for (let at = 0; at < fields.length; at += 2) {
    const id = `${ms}-${first + at / 2}`;
    if (!isBefore(after, id)) continue;
    const [orderId = "", members = ""] = (fields[at + 1] ?? "").split("\t", 2);
    changes.push({ id, type: fields[at] ?? "", orderId, members });
  }
  return changes;
}

/** The event, completed with what never changes of its order: JSON members, empty where that is not kept. */
export function completeEvent({ id, type, orderId, members }: Change, fixed: string): ShopEvent {
  return { id, type, orderId, data: `{${fixed && `${fixed},`}${members}}` };
}
