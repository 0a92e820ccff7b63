/**
 * Owns streams of events on fetch: EventSource can't send an Authorization header.
 *
 * **Invariants**
 * - An event is passed on once it is whole, whatever pieces it came in.
 */
import { createParser } from "eventsource-parser";
import type { FrameType } from "../../events/event.ts";
import type { NoResponse, Send } from "./call.ts";

/** An event of the shop (CloudEvents 1.0), as far as a page needs it. */
export interface ShopEvent {
  /** The stream's id, to go on after. */
  readonly id: string;
  readonly type: FrameType;
  /** The order's id; absent for the shop's own events. */
  readonly subject?: string;
  /** RFC 3339. */
  readonly time: string;
  readonly data: object;
}

/** The outcome of opening a stream. */
export type Opened =
  | { readonly kind: "open"; readonly body: ReadableStream<Uint8Array<ArrayBuffer>> }
  | { readonly kind: "locked" }
  | { readonly kind: "unreachable" };

interface Listener {
  readonly onEvent: (event: ShopEvent) => void;
  /** Something came, if only a comment: the connection lives. */
  readonly onBytes: () => void;
}

/** Opens a stream of events, from now or after the last one heard. */
export async function openEvents(
  send: Send<NoResponse>,
  path: string,
  { lastEventId, signal }: { readonly lastEventId: string | undefined; readonly signal: AbortSignal },
): Promise<Opened> {
  const headers = { Accept: "text/event-stream", ...(lastEventId ? { "Last-Event-ID": lastEventId } : undefined) };
  const response = await send(path, { headers, signal });
  if (!(response instanceof Response)) return response === "unreachable" ? { kind: "unreachable" } : { kind: "locked" };
  return response.ok && response.body ? { kind: "open", body: response.body } : { kind: "unreachable" };
}

/** Resolves when the stream has ended; rejects when the connection is lost. */
export async function readShopEvents(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  { onEvent, onBytes }: Listener,
): Promise<void> {
  const parser = createParser({
    onEvent: ({ id = "", data }) => onEvent({ ...(JSON.parse(data) as ShopEvent), id }),
  });
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      onBytes();
      parser.feed(chunk.value);
    }
  } finally {
    // Frees the connection when a listener threw, too.
    await reader.cancel().catch(() => {});
  }
}
