/**
 * Owns what an orders page is filtered by: as it stands in the address, and as the shop is asked for it.
 *
 * **Invariants**
 * - A day is one of this device: from its midnight to the next.
 */
import type { Status } from "../../orders/order.ts";
import { STATUSES } from "../../orders/status.ts";
import { isOrderId } from "../shared/staff/order-id.ts";
import { queueOf } from "../shared/staff/queue.ts";

export const FILTER_NAMES = ["text", "state", "day", "queue", "barista"] as const;
export type FilterName = (typeof FILTER_NAMES)[number];

/** Texts are as they were typed: a space at their end may be followed by more. */
export interface Filters {
  readonly text: string;
  /** Undefined: any. */
  readonly state: Status | undefined;
  /** Such as 2026-11-20; empty: any. */
  readonly day: string;
  /** Empty: the counter. */
  readonly queue: string;
  readonly barista: string;
}

/** Of what the address says; what is none of the page's counts as not said. */
export function readFilters(get: (name: FilterName) => string): Filters {
  return {
    text: get("text").slice(0, 100),
    state: STATUSES.find((status) => status === get("state")),
    day: Number.isNaN(midnightOf(get("day")).getTime()) ? "" : get("day"),
    queue: queueOf(get("queue")) === get("queue") ? get("queue") : "",
    barista: get("barista").slice(0, 64),
  };
}

/** The parameters of `GET /order/`. */
export function toQuery({ text, state, day, queue, barista }: Filters): Record<string, string> {
  const [wanted, brewer] = [text.trim(), barista.trim()];
  const from = day === "" ? undefined : midnightOf(day);
  const to = from && new Date(from.getFullYear(), from.getMonth(), from.getDate() + 1);
  return {
    ...(wanted && { text: wanted.replace(/^#/, "") || wanted }),
    ...(state && { status: state }),
    ...(from && to && { from: from.toISOString(), to: to.toISOString() }),
    ...(queue && { queue }),
    ...(brewer && { barista: brewer }),
  };
}

/** The order that is asked for by its id alone. */
export function idIn({ text }: Filters): string | undefined {
  const id = text.trim();
  return isOrderId(id) ? id.toLowerCase() : undefined;
}

/** Midnight of this device. */
function midnightOf(day: string): Date {
  return new Date(`${/^\d{4}-\d{2}-\d{2}$/.test(day) ? day : "?"}T00:00:00`);
}

/** A day of this device, such as 2026-11-20. */
export function dayAt(ms: number): string {
  const date = new Date(ms);
  const two = (value: number): string => String(value).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}
