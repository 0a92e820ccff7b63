/**
 * Owns a list of orders on a page, a page of it at a time, and read anew as things happen.
 *
 * **Invariants**
 * - What is shown is what the server answered last to the newest question.
 * - Going on keeps the way back; another question begins at the first page.
 */
import { Newest } from "../newest.ts";
import { Steady } from "../steady.ts";
import type { Answer } from "./api.ts";
import { sayFault } from "./fault.ts";
import type { OrderPage } from "./looks.ts";

/** Reads a page: the first one without a cursor. */
export type Ask = (cursor: string | undefined) => Promise<Answer<OrderPage>>;

const EVERY_MS = 1500;

export class Pages {
  #ask: Ask | undefined;
  /** Where the pages begin that were gone through, the one that is shown last. */
  #cursors = $state.raw<readonly (string | undefined)[]>([undefined]);
  #page = $state.raw<OrderPage>();
  #fault = $state.raw<string>();
  readonly #newest = new Newest();
  readonly #steady = new Steady(() => this.#read(), EVERY_MS);

  /** Undefined until there was an answer. */
  get page(): OrderPage | undefined {
    return this.#page;
  }

  /** Why it could not be read; undefined: it could. */
  get fault(): string | undefined {
    return this.#fault;
  }

  /** From 1. */
  get number(): number {
    return this.#cursors.length;
  }

  /** Shows the answer to another question; undefined: none. */
  begin(ask: Ask | undefined): Promise<void> {
    this.#ask = ask;
    this.#cursors = [undefined];
    this.#page = undefined;
    this.#fault = undefined;
    return this.#read();
  }

  /** Something happened that may change it. */
  need(): void {
    if (this.#ask) this.#steady.need();
  }

  /** As `need`, at once: the user asks, or the connection is back. */
  hurry(): void {
    if (this.#ask) this.#steady.hurry();
  }

  next(): Promise<void> {
    const cursor = this.#page?.cursor;
    if (cursor) this.#cursors = [...this.#cursors, cursor];
    return this.#read();
  }

  back(): Promise<void> {
    if (this.#cursors.length > 1) this.#cursors = this.#cursors.slice(0, -1);
    return this.#read();
  }

  stop(): void {
    this.#newest.begin();
    this.#steady.stop();
  }

  async #read(): Promise<void> {
    const isNewest = this.#newest.begin();
    const answer = await this.#ask?.(this.#cursors.at(-1));
    if (!answer || !isNewest()) return;
    if (answer.kind === "done") this.#page = answer.value;
    this.#fault = sayFault(answer);
  }
}
