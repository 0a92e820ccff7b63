/**
 * Owns one delivery: an event on its way to the target of a rule, and the record that is kept of one that failed.
 *
 * **Invariants**
 * - A record holds the whole event: it can be delivered once the stream and the order are gone.
 */
import type { EventId, ShopEvent } from "../events/event.ts";

export interface Delivery {
  readonly event: ShopEvent;
  /** The stream entry that is in hand for it; undefined: a record is kept of it, and nothing is in hand. */
  entry: EventId | undefined;
  /** How often it was sent. */
  tries: number;
  /** From when on its time counts, ms since 1970. */
  sinceMs: number;
  /** By `performance.now()`. */
  dueAt: number;
  /** Of the last try. */
  why: string;
}

/** What is known of a delivery by its record. */
export type DeliveryRecord = Pick<Delivery, "event" | "tries" | "sinceMs" | "why">;

/** Fields separated by tabs: no id, type or JSON has one. */
export function encodeRecord({ event, tries, sinceMs, why }: DeliveryRecord): string {
  return [tries, sinceMs, JSON.stringify(why), event.type, event.orderId, event.data].join("\t");
}

export function decodeRecord(id: EventId, record: string): DeliveryRecord {
  const [tries = "", sinceMs = "", why = '""', type = "", orderId = "", data = "{}"] = record.split("\t");
  const event = { id, type, orderId, data };
  return { event, tries: Number(tries) || 0, sinceMs: Number(sinceMs) || 0, why: JSON.parse(why) as string };
}
