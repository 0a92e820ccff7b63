/**
 * Owns the connection on which a page receives events, of the shop or of one order, for as long as it wants them.
 *
 * **Invariants**
 * - One connection at a time.
 * - A lost or silent connection is opened again after a pause.
 * - It is opened at once when the device comes back.
 * - It goes on after the last event that was received.
 */
import { Retrier, type BackOff, type Failed, type Tried } from "../../client/retry.ts";
import { SilenceWatch } from "../../client/silence.ts";
import { PAGE_BACK_OFF } from "./call.ts";
import { readShopEvents, type Opened, type ShopEvent } from "./sse.ts";

/** `locked`: a token is wanted before it makes sense to go on. */
export type Connection = "connecting" | "live" | "lost" | "locked";

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
  readonly backOff?: BackOff;
}

export class Live {
  readonly #options: LiveOptions;
  readonly #retrier: Retrier;
  #lastEventId: string | undefined;
  #ended: AbortController | undefined;
  #hangUp = (): void => {};

  constructor(options: LiveOptions) {
    this.#options = options;
    this.#retrier = new Retrier(options.backOff ?? PAGE_BACK_OFF);
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
  }

  /** Tries again now, should it be waiting to: the device came back, or its user asked. */
  hurry(): void {
    this.#retrier.hurry();
  }

  /** The device says that it has no connection: the stream would only fall silent. */
  drop(): void {
    this.#hangUp();
  }

  async #keep(ended: AbortSignal): Promise<void> {
    const { onConnection } = this.#options;
    onConnection("connecting");
    try {
      await this.#retrier.run(() => this.#listen(ended), { signal: ended, onRetry: () => onConnection("lost") });
    } catch (error) {
      if (!ended.aborted) throw error;
    }
    if (ended.aborted) return;
    this.#ended = undefined;
    onConnection("locked");
  }

  /** One connection, from its opening to its end; done once a token is wanted. */
  async #listen(ended: AbortSignal): Promise<Tried<undefined, Failed>> {
    const { open, load, onEvent, onConnection, silenceMs = 40_000 } = this.#options;
    const lost = new AbortController();
    const hangUp = (): void => lost.abort();
    this.#hangUp = hangUp;
    ended.addEventListener("abort", hangUp);
    const silence = new SilenceWatch(silenceMs, hangUp);
    let hasWorked = false;
    try {
      const opened = await open(this.#lastEventId, lost.signal);
      if (opened.kind === "locked") return { kind: "done", value: undefined };
      if (opened.kind === "unreachable") return { kind: "again" };
      const heard = readShopEvents(opened.body, {
        onBytes: () => silence.heard(),
        onEvent: (event) => {
          if (event.id) this.#lastEventId = event.id;
          onEvent(event);
        },
      });
      // `await heard` reports a failure; until then nothing handles it.
      heard.catch(() => {});
      if (!(await load()) || lost.signal.aborted) return { kind: "again" };
      hasWorked = true;
      onConnection("live");
      await heard;
    } catch {
      // The connection was lost, which is what this loop is for.
    } finally {
      silence.stop();
      hangUp();
      ended.removeEventListener("abort", hangUp);
    }
    return { kind: "again", hasWorked };
  }
}
