/**
 * Owns what an event is: its types, its id, its order among the others.
 * Always holds: scripts append events, each in the same step as what it tells; nothing here writes one.
 */

/** Every type that scripts append. */
export const EVENT_TYPES = [
  "order.reserved",
  "order.placed",
  "order.started",
  "order.finished",
  "order.released",
  "order.extended",
  "order.cancelled",
  "shop.changed",
  "shop.refused",
  "menu.changed",
] as const;

/** The last event of an order is one of these. */
export const FINAL_TYPES: readonly string[] = ["order.finished", "order.cancelled"];

/** An id in the stream: `<ms since 1970>-<sequence>`. */
export type EventId = string;

export interface ShopEvent {
  readonly id: EventId;
  readonly type: string;
  /** Empty: it is the shop's own. */
  readonly orderId: string;
  /** A JSON object; of an order without its id. */
  readonly data: string;
}

/** Which events somebody wants. */
export interface Wanted {
  /** Undefined: of everything. */
  readonly orderId?: string | undefined;
  /** Undefined: all types. */
  readonly types?: readonly string[] | undefined;
  /** Whether nothing is wanted after the order's last event. */
  readonly untilFinal?: boolean;
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
  return difference < 0 || (difference === 0 && sequenceOf(id) < sequenceOf(other));
}

export function isFinalEvent({ type }: ShopEvent): boolean {
  return FINAL_TYPES.includes(type);
}

function sequenceOf(id: EventId): number {
  return Number(id.slice(id.indexOf("-") + 1));
}
