/**
 * Owns the replay of an order, or of a payment, that is over: its last event, or the events after the last one that its
 * customer has.
 *
 * **Invariants**
 * - It looks no further than where the last event must stand.
 */
import { isBefore, isLast, msOf, type EventId } from "./event.ts";
import { concatBytes, type Encoders } from "./sse-frame.ts";
import type { History } from "./history.ts";

/** An event is appended in the step that ends the order, a moment after the time that this step noted. */
const SLACK_MS = 1000;

export interface Ended {
  readonly orderId: string;
  /** The last event that its customer has; undefined: the last one is all they want. */
  readonly after: EventId | undefined;
  /** Undefined: all types. */
  readonly types?: readonly string[];
  /** The last event is the first of one of these types. */
  readonly until: readonly string[];
  readonly finishedMs: number;
}

/** Resolves to frames; to no bytes where nothing comes after that event, or nothing is kept. */
export async function readReplay(
  history: History,
  { encode, encodeMissed }: Encoders,
  { orderId, after, types, until, finishedMs }: Ended,
): Promise<Uint8Array> {
  const frames: Uint8Array[] = [];
  const wanted = { orderId, types: after === undefined ? until : types };
  let cursor = after ?? `${finishedMs - SLACK_MS}-0`;
  while (msOf(cursor) <= finishedMs + SLACK_MS) {
    const { events, isMissing, upTo, newest } = await history.readAfter(cursor, wanted);
    if (isMissing && after !== undefined) frames.push(encodeMissed(cursor));
    frames.push(...events.map(encode));
    if (events.some((event) => isLast(event, { until })) || !isBefore(upTo, newest)) break;
    cursor = upTo;
  }
  return concatBytes(frames);
}
