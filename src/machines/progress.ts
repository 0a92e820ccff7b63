/**
 * Owns what a machine says of how far it is: what may be said, and how often it is sent.
 *
 * **Invariants**
 * - Of what is said in a quarter of a second only the latest is sent, one at a time.
 * - The last one is sent before the order ends, unless its end comes from elsewhere.
 */

/** How far an order is; either or both. */
export interface Progress {
  /** 0 to 100. */
  readonly percent?: number | undefined;
  /** At most 200 characters. */
  readonly message?: string | undefined;
}

const EVERY_MS = 250;
const MAX_MESSAGE_CHARACTERS = 200;

export class ProgressReport {
  readonly #send: (progress: string) => Promise<void>;
  #latest: string | undefined;
  #sending: Promise<void> | undefined;
  #sentAtMs = -Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isOver = false;

  /** `send` gets it as JSON. It never rejects. */
  constructor(send: (progress: string) => Promise<void>) {
    this.#send = send;
  }

  /** Throws a RangeError for what is no progress. What is said after the end is dropped. */
  say(progress: Progress): void {
    const said = encodeProgress(progress);
    if (this.#isOver) return;
    this.#latest = said;
    if (this.#timer === undefined && this.#sending === undefined) this.#sendSoon();
  }

  /** Sends what was said last, and takes no more. */
  async flush(): Promise<void> {
    this.#end();
    await this.#sending;
    if (this.#latest !== undefined) await this.#send(this.#latest);
  }

  /** Takes no more, and drops what was not sent. */
  drop(): void {
    this.#end();
    this.#latest = undefined;
  }

  #end(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #sendSoon(): void {
    const leftMs = this.#sentAtMs + EVERY_MS - performance.now();
    if (leftMs <= 0) return this.#sendNow();
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#sendNow();
    }, leftMs);
  }

  #sendNow(): void {
    const said = this.#latest;
    if (said === undefined) return;
    this.#latest = undefined;
    this.#sentAtMs = performance.now();
    this.#sending = this.#send(said).finally(() => {
      this.#sending = undefined;
      if (this.#latest !== undefined && !this.#isOver) this.#sendSoon();
    });
  }
}

/** As JSON in one line. */
function encodeProgress(progress: Progress): string {
  const { percent, message } = (progress as Progress | undefined | null) ?? {};
  if (percent === undefined && message === undefined) throw new RangeError("progress needs percent, message or both");
  if (percent !== undefined && !(typeof percent === "number" && percent >= 0 && percent <= 100)) {
    throw new RangeError(`progress: percent must be a number from 0 to 100, not ${String(percent)}`);
  }
  if (message !== undefined && !isShort(message)) {
    throw new RangeError(`progress: message must be a text of at most ${MAX_MESSAGE_CHARACTERS} characters`);
  }
  return JSON.stringify({ percent, message: message?.toWellFormed() });
}

function isShort(message: unknown): boolean {
  return typeof message === "string" && Array.from(message).length <= MAX_MESSAGE_CHARACTERS;
}
