/**
 * Owns how the events of a subscription look: frames of server-sent events, as the GraphQL over SSE protocol has them
 * (its distinct connections), each with the id of its event.
 *
 * **Invariants**
 * - A frame's id is the event's: a client that comes back with it goes on right behind that event.
 * - Where some events are no longer kept, an error says so in their place.
 */
import { createParser } from "eventsource-parser";
import { executeSync, GraphQLError, type ExecutionArgs, type ExecutionResult } from "graphql";
import { isLast, type FrameType, type Wanted } from "../../events/event.ts";
import type { Listener } from "../../events/feed.ts";
import { concatBytes } from "../../events/sse-frame.ts";

const utf8 = new TextEncoder();
const text = new TextDecoder();

/** The frame after which nothing comes. */
export const COMPLETE = utf8.encode("event: complete\ndata:\n\n");

const MISSED = new GraphQLError("Some events are no longer kept: look at the state anew.", {
  extensions: { code: "events_missed" },
});

export function encodeResult(result: ExecutionResult, id?: string): Uint8Array {
  return utf8.encode(`${id === undefined ? "" : `id: ${id}\n`}event: next\ndata: ${JSON.stringify(result)}\n\n`);
}

/** Frames of events on their way to a subscriber: what they asked for is made of each. */
export class Translation {
  readonly #operation: ExecutionArgs;
  readonly #wanted: Pick<Wanted, "until">;
  /** Whether the last event has passed that is wanted. */
  isOver = false;

  constructor(operation: ExecutionArgs, wanted: Pick<Wanted, "until">) {
    this.#operation = operation;
    this.#wanted = wanted;
  }

  /** What they asked for, of the data of an event. */
  show(data: unknown, id?: string): Uint8Array {
    return encodeResult(executeSync({ ...this.#operation, rootValue: data }), id);
  }

  translate(frames: Uint8Array): Uint8Array {
    const results: Uint8Array[] = [];
    const parser = createParser({
      onEvent: ({ id, event = "", data }) => results.push(this.#translate(id, event, data)),
    });
    parser.feed(text.decode(frames));
    return concatBytes(results);
  }

  #translate(id: string | undefined, type: string, data: string): Uint8Array {
    if (type === ("events.missed" satisfies FrameType)) return encodeResult({ errors: [MISSED], data: null }, id);
    if (isLast({ type }, this.#wanted)) this.isOver = true;
    const event = JSON.parse(data) as { readonly data: unknown };
    return this.show(event.data, id);
  }
}

/** A listener to events in place of one to results. */
export class TranslatingListener implements Listener {
  readonly #listener: Listener;
  readonly #translation: Translation;

  constructor(listener: Listener, translation: Translation) {
    this.#listener = listener;
    this.#translation = translation;
  }

  send(frames: Uint8Array): void {
    this.#listener.send(this.#translation.translate(frames));
  }

  caughtUp(): Promise<void> | undefined {
    return this.#listener.caughtUp();
  }

  /** Without the last frame its client comes back: it has not got everything. */
  end(): void {
    if (this.#translation.isOver) this.#listener.send(COMPLETE);
    this.#listener.end();
  }
}
