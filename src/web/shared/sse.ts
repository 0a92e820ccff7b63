/**
 * Owns how events are read off a fetch: EventSource can't send an Authorization header.
 *
 * **Invariants**
 * - An event is passed on once it is whole, whatever pieces it came in.
 */
import { createParser } from "eventsource-parser";

/** An event of the shop (CloudEvents 1.0), as far as a page needs it. */
export interface ShopEvent {
  /** The stream's id, to go on after. */
  readonly id: string;
  readonly type: string;
  /** The order's id; absent for the shop's own events. */
  readonly subject?: string;
  /** RFC 3339. */
  readonly time: string;
  readonly data: object;
}

interface Listener {
  readonly onEvent: (event: ShopEvent) => void;
  /** Something came, if only a comment: the connection lives. */
  readonly onBytes: () => void;
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
