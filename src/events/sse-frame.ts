/**
 * Owns how events look to listeners: frames of server-sent events (HTML Standard, 9.2), each with a CloudEvent
 * (CloudEvents 1.0, JSON format) as its data.
 *
 * **Invariants**
 * - A frame's id is the event's id in the stream.
 * - A listener that comes back with an id goes on right behind that event.
 */
import { toOrderJson } from "../orders/order.ts";
import { msOf, type EventId, type FrameType, type ShopEvent } from "./event.ts";

/** The type of the frame that comes first where some events are no longer kept, whatever types are wanted. */
const MISSED_TYPE = "events.missed" satisfies FrameType;

export type Encode = (event: ShopEvent) => Uint8Array;

/** An event as a CloudEvent in JSON, in one line. */
type ToJson = (event: ShopEvent) => string;

export interface Encoders {
  readonly encode: Encode;
  readonly toJson: ToJson;
  /**
   * Makes the frame which says that events after this one are lost. It has no id: a listener that comes back names the
   * last event that it got.
   */
  readonly encodeMissed: (after: EventId) => Uint8Array;
}

const utf8 = new TextEncoder();

/** Makes the encoders of a shop. An event's data goes through as it is: JSON in one line, as scripts write it. */
export function createEncoders(shop: string): Encoders {
  const source = JSON.stringify(`/shops/${encodeURIComponent(shop)}`);
  const head = (id: string, type: string): string =>
    `{"specversion":"1.0","id":"${id}","source":${source},"type":"${type}",`;
  const tail = (data: string): string => `"datacontenttype":"application/json","data":${data}}`;
  const frame = (type: string, json: string): string => `event: ${type}\ndata: ${json}\n\n`;

  const toJson: ToJson = ({ id, type, orderId, data }) => {
    const time = `"time":"${new Date(msOf(id)).toISOString()}",`;
    const subject = orderId && `"subject":"${orderId}",`;
    return `${head(id, type)}${subject}${time}${tail(orderId ? toOrderJson(orderId, data) : data)}`;
  };
  return {
    toJson,
    encode: (event) => utf8.encode(`id: ${event.id}\n${frame(event.type, toJson(event))}`),
    encodeMissed: (after) =>
      utf8.encode(frame(MISSED_TYPE, `${head(`${after}.missed`, MISSED_TYPE)}${tail(`{"after":"${after}"}`)}`)),
  };
}

export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  const [first] = parts;
  return first && parts.length === 1 ? first : Buffer.concat(parts);
}
