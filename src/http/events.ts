/**
 * Owns how events go out: streams of server-sent events, each on a connection that has no idle timeout while it lasts.
 *
 * Bun takes what is written to a direct stream until the kernel takes no more; from then on `write` answers with a
 * promise, which resolves once the client has read on. Meanwhile frames wait here: so many bytes, and for so long, and
 * then the connection is cut. (A default stream would queue without end.) When the client hangs up, before the answer
 * or after, Bun calls `cancel`.
 *
 * **Invariants**
 * - A stream is ended once: by its client, by its feed or for being slow.
 * - A stream ends its subscription when it is ended.
 * - Nothing is buffered without bound.
 * - All streams share one timer, which runs only while there are some.
 */
import { isEventId, type EventId, type Wanted } from "../events/event.ts";
import type { Listener, Subscription } from "../events/feed.ts";
import { concatBytes } from "../events/sse-frame.ts";
import { InvalidInputError } from "../problem.ts";
import type { HttpConnection } from "./hold.ts";
import { beginGoingOn, endGoingOn } from "./idle.ts";

/** Proxies cut connections that are silent. */
const HEARTBEAT_MS = 15_000;
/** Most bytes that wait for one client. The kernel holds some MB more for it, and these come first. */
const MAX_WAITING_BYTES = 256 * 1024;
/** Comments are sent to a part of the streams at a time. */
const PARTS = 15;
/** Between these, at random: clients of a server that stops do not come back all at once. */
const RETRY_MS = { min: 1000, max: 3000 };

const HEADERS = { "Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no" };
const COMMENT = new TextEncoder().encode(":\n\n");
const TOO_SLOW = new Error("the client reads too slowly");

interface EventStreamOptions {
  readonly connection: HttpConnection;
  readonly subscription: Subscription;
  readonly wanted: Wanted;
  readonly after: EventId | undefined;
  /** Called once it is over. */
  readonly onOver?: () => void;
}

export type StreamEvents = (options: EventStreamOptions) => Response;

/** Makes the answers that go on until there is nothing more to send. */
export function createEventStreams({ heartbeatMs = HEARTBEAT_MS } = {}): StreamEvents {
  const heartbeat = new Heartbeat(heartbeatMs);
  return (options) => {
    const { server, request } = options.connection;
    beginGoingOn(request, server);
    const stream = new EventStream(options, heartbeat);
    const body = new ReadableStream({
      type: "direct",
      pull: (controller) => stream.begin(controller),
      cancel: () => stream.leave(),
    });
    return new Response(body, { headers: HEADERS });
  };
}

/** Frames and nothing after them. No bytes: 204, and an EventSource comes back no more. */
export function answerFrames(frames: Uint8Array): Response {
  if (frames.length === 0) return new Response(null, { status: 204, headers: { "Cache-Control": "no-store" } });
  return new Response(frames, { headers: HEADERS });
}

/** The answer to HEAD: its client does not listen. */
export function answerHead(): Response {
  return new Response(null, { headers: HEADERS });
}

/**
 * The last event that a listener got before it came back; undefined for one that comes for the first time. Throws a
 * ProblemError for what is no id.
 */
export function readLastEventId(headers: Headers): EventId | undefined {
  const given = headers.get("last-event-id") ?? "";
  if (given === "") return undefined;
  if (isEventId(given)) return given;
  throw new InvalidInputError([
    { field: "Last-Event-ID", detail: "must be the id of an event, such as 1795225048814-0" },
  ]);
}

class EventStream implements Listener {
  readonly #options: EventStreamOptions;
  readonly #heartbeat: Heartbeat;
  /** While the stream lasts and has begun. */
  #controller: ReadableStreamDirectController | undefined;
  /** While the client is behind. */
  #drained: Promise<void> | undefined;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  /** Whether it was behind at the last heartbeat already. */
  #wasBehind = false;
  #isOver = false;

  constructor(options: EventStreamOptions, heartbeat: Heartbeat) {
    this.#options = options;
    this.#heartbeat = heartbeat;
  }

  begin(controller: ReadableStreamDirectController): void {
    this.#controller = controller;
    this.#heartbeat.add(this);
    const { min: smaller, max } = RETRY_MS;
    this.#write(`retry: ${smaller + Math.floor(Math.random() * (max - smaller))}\n\n`);
    const { subscription, wanted, after } = this.#options;
    subscription.follow({ listener: this, wanted, after });
  }

  send(frames: Uint8Array): void {
    if (this.#isOver) return;
    if (!this.#drained) return this.#write(frames);
    this.#waiting.push(frames);
    this.#waitingBytes += frames.length;
    if (this.#waitingBytes > MAX_WAITING_BYTES) this.#cut();
  }

  caughtUp(): Promise<void> | undefined {
    return this.#drained;
  }

  end(): void {
    if (this.#isOver) return;
    if (this.#drained) return this.#cut();
    const controller = this.#controller;
    const { server, request } = this.#options.connection;
    endGoingOn(request, server);
    this.leave();
    controller?.close();
  }

  /**
   * Sends the comment that keeps the connection from looking dead. A client that took nothing from one to the next is
   * cut off.
   */
  beat(): void {
    if (!this.#drained) return this.#write(COMMENT);
    if (this.#wasBehind) this.#cut();
    this.#wasBehind = true;
  }

  /** Nothing is written any more. */
  leave(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#controller = undefined;
    this.#waiting = [];
    this.#heartbeat.delete(this);
    this.#options.subscription.unsubscribe();
    this.#options.onOver?.();
  }

  /**
   * A client that reads so slowly gets no message: it would not read it. It may come back with the last id that it got.
   */
  #cut(): void {
    const controller = this.#controller;
    this.leave();
    // Resets the connection, and frees what it has buffered.
    controller?.close(TOO_SLOW);
  }

  #write(bytes: Uint8Array | string): void {
    const written = this.#controller?.write(bytes);
    if (written instanceof Promise) this.#drained = written.then(() => this.#goOn());
  }

  #goOn(): void {
    const waiting = this.#waiting;
    this.#drained = undefined;
    this.#wasBehind = false;
    this.#waiting = [];
    this.#waitingBytes = 0;
    if (waiting.length > 0) this.#write(concatBytes(waiting));
  }
}

/** Beats every stream once in `everyMs`, a part of them at a time, for a write to each takes its time. */
class Heartbeat {
  readonly #everyMs: number;
  readonly #parts = Array.from({ length: PARTS }, () => new Set<EventStream>());
  #nextPart = 0;
  #streams = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(everyMs: number) {
    this.#everyMs = everyMs;
  }

  add(stream: EventStream): void {
    const smallest = this.#parts.reduce((smaller, part) => (part.size < smaller.size ? part : smaller));
    smallest.add(stream);
    this.#streams += 1;
    this.#timer ??= setInterval(() => this.#beat(), this.#everyMs / PARTS);
  }

  delete(stream: EventStream): void {
    if (!this.#parts.some((part) => part.delete(stream))) return;
    this.#streams -= 1;
    if (this.#streams > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #beat(): void {
    for (const stream of this.#parts[this.#nextPart] ?? []) stream.beat();
    this.#nextPart = (this.#nextPart + 1) % PARTS;
  }
}
