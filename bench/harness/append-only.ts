/**
 * Owns how many bytes a Redis has appended to its append-only file (multi-part, Redis 7.0 and newer).
 *
 * Each rewrite begins a new incremental file, and removes the old ones when it is over; so INFO's aof_current_size goes
 * down. What was appended is the sum of all incremental files that ever were, each at its greatest size. What a rewrite
 * writes is a base file, and not counted.
 *
 * **Invariants**
 * - It looks more often than a rewrite of a file worth rewriting takes.
 */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";

const FOLDER = "appendonlydir";
const LOOK_MS = 100;

export class AppendOnlyFile {
  readonly #folder: string;
  readonly #sizes = new Map<string, number>();
  readonly #timer: ReturnType<typeof setInterval>;

  /** Of a Redis whose `dir` is `folder`. */
  constructor(folder: string) {
    this.#folder = join(folder, FOLDER);
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
    this.#timer.unref();
  }

  /** Bytes that were appended so far. */
  get appendedBytes(): number {
    this.#look();
    return [...this.#sizes.values()].reduce((sum, size) => sum + size, 0);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    for (const name of incrementalFiles(this.#folder)) {
      const { size } = statSync(join(this.#folder, name), { throwIfNoEntry: false }) ?? { size: 0 };
      this.#sizes.set(name, Math.max(size, this.#sizes.get(name) ?? 0));
    }
  }
}

function incrementalFiles(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => name.endsWith(".incr.aof"));
  } catch {
    return [];
  }
}
