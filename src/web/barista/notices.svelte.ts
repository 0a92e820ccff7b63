/**
 * Owns the notices of the page about its actions.
 *
 * **Invariants**
 * - A notice disappears by itself.
 * - Faults stand until they were read, beside the last thing that went well.
 */

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
const MAX_SHOWN = 3;

export class Notices {
  #shown = $state.raw<readonly Notice[]>([]);
  #count = 0;

  get shown(): readonly Notice[] {
    return this.#shown;
  }

  say(kind: Notice["kind"], text: string): void {
    this.#count += 1;
    const notice = { id: this.#count, kind, text };
    const isStale = (other: Notice): boolean => other.text === text || (other.kind === "done" && kind === "done");
    this.#shown = [...this.#shown.filter((other) => !isStale(other)), notice].slice(-MAX_SHOWN);
    setTimeout(() => this.dismiss(notice.id), SHOWN_MS[kind]);
  }

  dismiss(id: number): void {
    this.#shown = this.#shown.filter((notice) => notice.id !== id);
  }
}
