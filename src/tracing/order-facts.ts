/**
 * Owns what spans say of an order, as it is read from the order's JSON.
 *
 * **Invariants**
 * - Only members that scripts write are looked at: no text of a customer's is read as one.
 */
import { DEFAULT_QUEUE } from "../queue-settings.ts";
import { traceparentIn } from "../traceparent.ts";

export interface OrderFacts {
  /** The span that placed it, as `traceparent` spells it. */
  readonly traceparent: string;
  readonly queue: string;
  readonly number: number | undefined;
  readonly status: string;
  readonly reason: string | undefined;
  readonly attempts: number;
}

const PLACED_AT = '"placed_at":"';
/** Orders of the counter name no queue. */
const HEAD = /^\{"order_id":"[^"]*","number":(\d+)(?:,"queue":"([\w-]+)")?/;
const STATE = /^"placed_at":"[^"]*","status":"(\w+)"(?:,"reason":"(\w+)")?,"attempts":(\d+)/;
/** Longer than what STATE matches. */
const STATE_CHARACTERS = 150;

/** Undefined: the order is not traced. */
export function readFacts(order: string): OrderFacts | undefined {
  const traceparent = traceparentIn(order);
  if (traceparent === undefined) return undefined;
  const [, number, queue = DEFAULT_QUEUE] = HEAD.exec(order) ?? [];
  const at = order.indexOf(PLACED_AT);
  const [, status = "", reason, attempts = "0"] = STATE.exec(order.slice(at, at + STATE_CHARACTERS)) ?? [];
  return {
    traceparent,
    queue,
    number: number === undefined ? undefined : Number(number),
    status,
    reason,
    attempts: Number(attempts),
  };
}
