/**
 * Owns what the server knows of its file descriptors: how many it may have, whether some are left, and a reserve of its
 * own. Bun raises the soft limit to the hard one when it starts: what is read here can't be raised any further.
 *
 * **Invariants**
 * - Nothing here throws for want of a descriptor: that is an answer.
 * - A file that is opened to look is closed at once.
 */
import { closeSync, openSync, readFileSync } from "node:fs";

/** For the program's own files, its pipes, the listening sockets and the pages' builder. */
const OWN_FILES = 64;

/** How many files this process may have open; undefined where the system does not say. */
export function readOpenFilesLimit(): number | undefined {
  let limits: string;
  try {
    limits = readFileSync("/proc/self/limits", "utf8");
  } catch {
    // Only Linux has it.
    return undefined;
  }
  const soft = /^Max open files +(\d+)/m.exec(limits)?.[1];
  return soft === undefined ? undefined : Number(soft);
}

interface Needs {
  readonly limit: number;
  readonly maxHeld: number;
  /** Connections to Redis and others that are kept in reserve. */
  readonly reserved: number;
}

/** The warning for held customers that do not fit under the limit; undefined when they fit. */
export function findShortage({ limit, maxHeld, reserved }: Needs): string | undefined {
  const others = reserved + OWN_FILES;
  if (maxHeld + others <= limit) return undefined;
  const fitting = limit - others;
  const change = fitting > 0 ? `set MAX_HELD to ${fitting} or less, or allow` : "allow";
  return `MAX_HELD is ${maxHeld}, but this process may open ${limit} files: ${change} ${maxHeld + others} (ulimit -n, LimitNOFILE=, --ulimit nofile=)`;
}

/** Whether so many more files could be opened. */
export function canOpen(count: number): boolean {
  const spares = new SpareFiles(count);
  const couldTake = spares.take();
  spares.release();
  return couldTake;
}

/** Descriptors that are held for later: while they are, connections can't take them. */
export class SpareFiles {
  readonly #count: number;
  #files: number[] = [];

  constructor(count: number) {
    this.#count = count;
  }

  /** Takes all of them, or none: false. */
  take(): boolean {
    try {
      while (this.#files.length < this.#count) this.#files.push(openSync("/dev/null", "r"));
      return true;
    } catch {
      // No descriptor is left, in this process or in the whole system.
      this.release();
      return false;
    }
  }

  release(): void {
    for (const file of this.#files) closeSync(file);
    this.#files = [];
  }
}
