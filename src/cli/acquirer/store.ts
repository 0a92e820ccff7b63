/**
 * Owns what the test acquirer remembers: its intents and its answers by idempotency key, in memory and in a file.
 *
 * **Invariants**
 * - An intent and the answer that changed it are one line of the file: both are there after a restart, or neither.
 * - A line that was cut off by a kill is dropped: what it would have said was not answered.
 * - Answers are kept for the newest MAX_KEPT keys; there are at most MAX_INTENTS intents.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, truncateSync } from "node:fs";
import { dirname } from "node:path";
import { CommandFailed } from "../failure.ts";
import type { Intent } from "./intent.ts";
import { lockData } from "./lock.ts";
import type { Json } from "./wire.ts";

const MAX_INTENTS = 500_000;
const MAX_KEPT = 500_000;

/** What was answered under a key. `hash`: of what was asked. */
export interface Kept {
  readonly key: string;
  readonly hash: string;
  readonly status: number;
  readonly body: Json;
}

interface Line {
  readonly intent?: Intent;
  readonly kept?: Kept;
}

export class Store {
  readonly #path: string | undefined;
  readonly #intents = new Map<string, Intent>();
  readonly #kept = new Map<string, Kept>();

  /** Reads what the file has, where there is one. Throws CommandFailed for one that is none of ours, or is taken. */
  constructor(path?: string) {
    this.#path = path;
    if (path === undefined) return;
    mkdirSync(dirname(path), { recursive: true });
    lockData(path);
    if (existsSync(path)) for (const line of readLines(path)) this.#take(line);
  }

  find(id: string): Intent | undefined {
    return this.#intents.get(id);
  }

  answerOf(key: string): Kept | undefined {
    return this.#kept.get(key);
  }

  get isFull(): boolean {
    return this.#intents.size >= MAX_INTENTS;
  }

  all(): Iterable<Intent> {
    return this.#intents.values();
  }

  /** Remembers a change, and what was answered to whom made it. */
  keep(line: Line): void {
    if (this.#path !== undefined) appendFileSync(this.#path, `${JSON.stringify(line)}\n`, { mode: 0o600 });
    this.#take(line);
  }

  #take({ intent, kept }: Line): void {
    if (intent) this.#intents.set(intent.id, intent);
    if (!kept) return;
    this.#kept.set(kept.key, kept);
    if (this.#kept.size <= MAX_KEPT) return;
    const [oldest = ""] = this.#kept.keys();
    this.#kept.delete(oldest);
  }
}

function readLines(path: string): Line[] {
  const text = readFileSync(path, "utf8");
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  if (whole.length < text.length) truncateSync(path, Buffer.byteLength(whole));
  return whole
    .split("\n")
    .filter(Boolean)
    .map((line, index) => readLine(line, `line ${index + 1} of ${path}`));
}

function readLine(text: string, where: string): Line {
  const line = parse(text);
  if (!isOurs(line)) {
    throw new CommandFailed(`${where} is none of a test acquirer: give another file, or move it away`);
  }
  return line;
}

function isOurs(line: unknown): line is Line {
  return typeof line === "object" && line !== null && ("intent" in line || "kept" in line);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
