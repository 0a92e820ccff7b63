/**
 * Owns the connection on which a page receives events, of the shop or of one order, for as long as it wants them.
 *
 * **Invariants**
 * - One connection at a time.
 * - A lost or silent connection is opened again after a pause that grows to `LONGEST_PAUSE_MS`.
 * - It is opened at once when the device comes back.
 * - It goes on after the last event that was received.
 */
import { readShopEvents, type ShopEvent } from "./sse.ts";

/** `locked`: a token is wanted before it makes sense to go on. */
export type Connection = "connecting" | "live" | "lost" | "locked";

/** The outcome of opening the stream. */
export type Opened =
  | { readonly kind: "open"; readonly body: ReadableStream<Uint8Array<ArrayBuffer>> }
  | { readonly kind: "locked" | "away" };

export interface LiveOptions {
  readonly open: (lastEventId: string | undefined, signal: AbortSignal) => Promise<Opened>;
  /**
   * Loads what the events build on, once they are flowing. False: it can't be had now, so the connection is no good.
   */
  readonly load: () => Promise<boolean>;
  readonly onEvent: (event: ShopEvent) => void;
  readonly onConnection: (connection: Connection) => void;
  /** A connection on which nothing came for so long is taken for lost: the server comments every 15 s. */
  readonly silenceMs?: number;
  readonly shortestPauseMs?: number;
}

const LONGEST_PAUSE_MS = 10_000;

export class Live {
  readonly #options: LiveOptions;
  #lastEventId: string | undefined;
  #ended: AbortController | undefined;
  #endPause = (): void => {};
  #hangUp = (): void => {};

  constructor(options: LiveOptions) {
    this.#options = options;
  }

  /** Opens the connection, and keeps it open until `stop`. */
  start(): void {
    if (this.#ended) return;
    this.#ended = new AbortController();
    void this.#keep(this.#ended.signal);
  }

  stop(): void {
    this.#ended?.abort();
    this.#ended = undefined;
    this.#endPause();
  }

  /** Tries again now, should it be waiting to: the device came back, or its user asked. */
  hurry(): void {
    this.#endPause();
  }

  /** The device says that it has no connection: the stream would only fall silent. */
  drop(): void {
    this.#hangUp();
  }

  async #keep(ended: AbortSignal): Promise<void> {
    const { onConnection, shortestPauseMs = 500 } = this.#options;
    let pauseMs = shortestPauseMs;
    onConnection("connecting");
    while (!ended.aborted) {
      const came = await this.#listen(ended);
      if (ended.aborted) return;
      if (came === "locked") {
        this.#ended = undefined;
        onConnection("locked");
        return;
      }
      onConnection("lost");
      if (came === "live") pauseMs = shortestPauseMs;
      await this.#pause(pauseMs);
      pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
    }
  }

  /** One connection, from its opening to its end; resolves to how far it came. */
  async #listen(ended: AbortSignal): Promise<"live" | "locked" | "away"> {
    const { open, load, onEvent, onConnection, silenceMs = 40_000 } = this.#options;
    const lost = new AbortController();
    const hangUp = (): void => lost.abort();
    this.#hangUp = hangUp;
    ended.addEventListener("abort", hangUp);
    let silence = setTimeout(hangUp, silenceMs);
    let isLive = false;
    try {
      const opened = await open(this.#lastEventId, lost.signal);
      if (opened.kind !== "open") return opened.kind;
      const heard = readShopEvents(opened.body, {
        onBytes: () => {
          clearTimeout(silence);
          silence = setTimeout(hangUp, silenceMs);
        },
        onEvent: (event) => {
          if (event.id) this.#lastEventId = event.id;
          onEvent(event);
        },
      });
      // `await heard` reports a failure; until then nothing handles it.
      heard.catch(() => {});
      if (!(await load()) || lost.signal.aborted) return "away";
      isLive = true;
      onConnection("live");
      await heard;
    } catch {
      // The connection was lost, which is what this loop is for.
    } finally {
      clearTimeout(silence);
      hangUp();
      ended.removeEventListener("abort", hangUp);
    }
    return isLive ? "live" : "away";
  }

  async #pause(ms: number): Promise<void> {
    // Many pages that lost one server do not come back in one instant.
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms * (0.5 + Math.random()));
    this.#endPause = resolve;
    await promise;
    clearTimeout(timer);
    this.#endPause = () => {};
  }
}
