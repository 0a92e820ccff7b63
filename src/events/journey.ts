/**
 * Owns the journey of an order: its events, and those of its payment, from its first on.
 *
 * **Invariants**
 * - It looks at a bounded number of entries, and says where it has not seen all.
 */
import type { History } from "./history.ts";
import { isBefore, msOf, type ShopEvent } from "./event.ts";

/** Of 50 entries each: a busy hour. */
const MAX_PAGES = 200;
/** An order's end is followed by what becomes of its payment. */
const SETTLED_MS = 60_000;

export interface Traveller {
  readonly orderId: string;
  /** When its first event may have been at the earliest, ms since 1970. */
  readonly fromMs: number;
  /** When it became final; undefined: it is open. */
  readonly finishedMs: number | undefined;
}

export interface Journey {
  readonly events: readonly ShopEvent[];
  /** False: some may be missing, as they are no longer kept, or too much happened meanwhile. */
  readonly isWhole: boolean;
}

/** Rejects when Redis does not answer. */
export async function readJourney(
  history: Pick<History, "readAfter">,
  { orderId, fromMs, finishedMs = Infinity }: Traveller,
): Promise<Journey> {
  const found: ShopEvent[] = [];
  let cursor = `${Math.max(0, fromMs)}-0`;
  let isWhole = true;
  for (let pages = 1; ; pages += 1) {
    const { events, isMissing, upTo, newest } = await history.readAfter(cursor, { orderId });
    found.push(...events);
    isWhole &&= !isMissing;
    if (!isBefore(upTo, newest) || msOf(upTo) > finishedMs + SETTLED_MS) return { events: found, isWhole };
    if (pages === MAX_PAGES) return { events: found, isWhole: false };
    cursor = upTo;
  }
}
