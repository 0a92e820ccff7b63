/**
 * Owns what spans say of an order, as it is read from the order's JSON.
 *
 * **Invariants**
 * - Only members that scripts write are looked at: no text of a customer's is read as one.
 */
import { DEFAULT_QUEUE } from "../queue-settings.ts";

export interface OrderFacts {
  /** The span that placed it, as `traceparent` spells it. */
  readonly traceparent: string;
  readonly queue: string;
  readonly number: number | undefined;
  readonly status: string;
  readonly reason: string | undefined;
  readonly attempts: number;
}

/** Ends what never changes of an order. What is large, such as an input, stands behind it. */
const LAST_FIXED = '"placed_at":"';
// (No text has such a member in it: a quote inside stands behind a backslash.)
const MEMBER = '"traceparent":"';
const TRACEPARENT = /"traceparent":"([\da-f-]{55})"/;
const QUEUE = /^\{"order_id":"[^"]*","number":\d+,"queue":"([\w-]+)"/;
const NUMBER = /^\{"order_id":"[^"]*","number":(\d+)/;
const STATE = /^"placed_at":"[^"]*","status":"(\w+)"(?:,"reason":"(\w+)")?,"attempts":(\d+)/;
/** Longer than what STATE matches. */
const STATE_CHARACTERS = 150;

/** Undefined: the order is not traced. */
export function readFacts(order: string): OrderFacts | undefined {
  if (!order.includes(MEMBER)) return undefined;
  const end = order.indexOf(LAST_FIXED);
  const fixed = order.slice(0, Math.max(0, end));
  const traceparent = TRACEPARENT.exec(fixed)?.[1];
  if (traceparent === undefined) return undefined;
  const number = NUMBER.exec(fixed)?.[1];
  const [, status = "", reason, attempts = "0"] = STATE.exec(order.slice(end, end + STATE_CHARACTERS)) ?? [];
  return {
    traceparent,
    queue: QUEUE.exec(fixed)?.[1] ?? DEFAULT_QUEUE,
    number: number === undefined ? undefined : Number(number),
    status,
    reason,
    attempts: Number(attempts),
  };
}
