/**
 * Owns having the current code: asked for when something may have changed it, and when its time is over.
 *
 * **Invariants**
 * - One question at a time.
 * - A need that came up during one is asked after it.
 */
import type { CodeView } from "../../shop/codes.ts";
import type { Answer } from "../shared/staff/api.ts";

interface CodeWatchOptions {
  readonly ask: () => Promise<Answer<CodeView>>;
  /** The shop's time, ms since 1970. */
  readonly now: () => number;
}

/** After the change, so that it has happened on every replica's clock. */
const AFTER_CHANGE_MS = 300;
/** When there was no answer, or still the old code. */
const AGAIN_MS = 2000;
/** Reservations come in bursts. */
const BURST_MS = 200;
/** setTimeout counts to 2^31 ms. */
const MAX_TIMER_MS = 3_600_000;

export class CodeWatch {
  readonly #options: CodeWatchOptions;
  #code = $state.raw<CodeView>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isAsking = false;
  #isStale = false;
  #isOver = false;

  constructor(options: CodeWatchOptions) {
    this.#options = options;
  }

  /** The last one; undefined until there was an answer. */
  get code(): CodeView | undefined {
    return this.#code;
  }

  /** Something may have changed the code, or what remains of it. */
  refresh(): void {
    if (this.#isAsking) this.#isStale = true;
    else this.#askIn(BURST_MS);
  }

  stop(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }

  #askIn(ms: number): void {
    if (this.#isOver) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#ask(), Math.min(ms, MAX_TIMER_MS));
  }

  async #ask(): Promise<void> {
    this.#isAsking = true;
    this.#isStale = false;
    const answer = await this.#options.ask();
    this.#isAsking = false;
    if (answer.kind === "done") this.#code = answer.value;
    if (this.#isStale) this.#askIn(BURST_MS);
    else if (answer.kind === "done") {
      const leftMs = Date.parse(answer.value.changes_at) - this.#options.now();
      this.#askIn(leftMs > 0 ? leftMs + AFTER_CHANGE_MS : AGAIN_MS);
    } else this.#askIn(AGAIN_MS);
  }
}
