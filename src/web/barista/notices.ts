/**
 * Owns the notices of the page about its actions.
 *
 * **Invariants**
 * - A notice disappears by itself.
 * - Faults stand until they were read, beside the last thing that went well.
 */
import { writable, type Readable } from "svelte/store";

export interface Notice {
  readonly id: number;
  /**
   * `done`: an action that succeeded. `fault`: one that failed. `news`: a change that others made to an order of this
   * barista.
   */
  readonly kind: "done" | "fault" | "news";
  readonly text: string;
}

const SHOWN_MS: Readonly<Record<Notice["kind"], number>> = { done: 3000, fault: 10_000, news: 60_000 };
const MOST = 3;

export class Notices implements Readable<readonly Notice[]> {
  readonly #store = writable<readonly Notice[]>([]);
  readonly subscribe = this.#store.subscribe;
  #count = 0;

  say(kind: Notice["kind"], text: string): void {
    this.#count += 1;
    const notice = { id: this.#count, kind, text };
    const isStale = (other: Notice): boolean => other.text === text || (other.kind === "done" && kind === "done");
    this.#store.update((notices) => [...notices.filter((other) => !isStale(other)), notice].slice(-MOST));
    setTimeout(() => this.dismiss(notice.id), SHOWN_MS[kind]);
  }

  dismiss(id: number): void {
    this.#store.update((notices) => notices.filter((notice) => notice.id !== id));
  }
}
