/**
 * Owns the code of a machine that is still at work though its order has ended: its time was over, or it was lost.
 *
 * Nothing can end it from outside. So it counts no more as one of those made at once; but its number is bounded.
 *
 * **Invariants**
 * - While there are `max` of them nothing is started; the log says so once, until there is room again.
 */
import type { Log } from "../log.ts";
import type { Making } from "./making.ts";

export class Overdue {
  readonly #max: number;
  readonly #log: Log;
  readonly #makings = new Set<Making>();
  #change = Promise.withResolvers<void>();
  #isClosed = false;
  #isLogged = false;

  constructor(max: number, log: Log) {
    this.#max = max;
    this.#log = log;
  }

  get hasRoom(): boolean {
    return this.#makings.size < this.#max;
  }

  add(making: Making): void {
    this.#makings.add(making);
    void this.#removeOnceReturned(making);
  }

  /** Waits until something may be started, or it is closed. */
  async untilRoom(): Promise<void> {
    while (!this.hasRoom && !this.#isClosed) {
      if (!this.#isLogged) {
        this.#isLogged = true;
        this.#log.error(
          { overdue: this.#makings.size },
          "a machine's code goes on after its time: it starts no orders",
        );
      }
      await this.#change.promise;
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#noteChange();
  }

  async #removeOnceReturned(making: Making): Promise<void> {
    await making.returned;
    this.#makings.delete(making);
    this.#isLogged &&= !this.hasRoom;
    this.#noteChange();
  }

  #noteChange(): void {
    this.#change.resolve();
    this.#change = Promise.withResolvers();
  }
}
