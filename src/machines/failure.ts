/**
 * Owns what makes a machine fail an order, and the log lines about it.
 *
 * **Invariants**
 * - The error is the customer's and the staff's: it has 1 to 500 characters.
 * - The log says which machine, what fault, and where in the code: never a message, which may hold input.
 * - The first failures of a kind in a minute have a line each; then one line counts those that followed.
 */
import type { Log } from "../log.ts";
import { boundError } from "./error-text.ts";

/**
 * `threw`: the machine threw. `timed_out`: its time was over. `forbidden_output`: its schema does not allow what it
 * answered; `unwritable_output`: no JSON can be made of it, or none that short. `wrong_input`: the order was queued
 * before the schema was as it is.
 */
export type Fault = "threw" | "timed_out" | "forbidden_output" | "unwritable_output" | "wrong_input";

export interface Failure {
  readonly kind: "failed";
  readonly fault: Fault;
  readonly error: string;
  /** Where it was thrown. */
  readonly at?: ThrownAt;
}

interface ThrownAt {
  readonly type: string;
  readonly frames: readonly string[];
}

const MAX_FRAMES = 5;
const SUMMARY_EVERY_MS = 60_000;
/** Of one kind, in one queue, between two summaries. */
const MAX_LINES = 10;

/** Reads whatever a machine threw. */
export function failureOf(thrown: unknown): Failure {
  const error = boundError(sayThrown(thrown));
  return { kind: "failed", fault: "threw", error, at: whereThrown(thrown) };
}

function sayThrown(thrown: unknown): string {
  if (typeof thrown === "string") return thrown;
  if (!(thrown instanceof Error)) return "the machine threw what is no error";
  return typeof thrown.message === "string" && thrown.message !== "" ? thrown.message : "the machine failed";
}

function whereThrown(thrown: unknown): ThrownAt {
  if (!(thrown instanceof Error)) return { type: typeof thrown, frames: [] };
  const { name, message, stack = "" } = thrown;
  const type = /^\w{1,64}$/.test(name) ? name : "Error";
  // The stack begins with the message.
  const from = stack.indexOf(message);
  const lines = from < 0 ? [] : stack.slice(from + message.length).split("\n");
  const frames = lines.map((line) => line.trim()).filter((line) => line.startsWith("at "));
  return { type, frames: frames.slice(0, MAX_FRAMES) };
}

/** The failures of one server's machines, in its log. */
export class FailureLog {
  readonly #log: Log;
  /** How many of a kind came since the last summary, by queue and kind. */
  readonly #counts = new Map<string, { readonly queue: string; readonly fault: Fault; count: number }>();
  readonly #summaries: ReturnType<typeof setInterval>;

  constructor(log: Log) {
    this.#log = log;
    this.#summaries = setInterval(() => this.#summarize(), SUMMARY_EVERY_MS);
  }

  note(queue: string, { fault, at }: Failure): void {
    const key = `${queue} ${fault}`;
    const known = this.#counts.get(key) ?? { queue, fault, count: 0 };
    this.#counts.set(key, known);
    known.count += 1;
    if (known.count <= MAX_LINES) this.#log.warn({ queue, fault, ...at }, "a machine failed an order");
  }

  close(): void {
    clearInterval(this.#summaries);
    this.#summarize();
  }

  #summarize(): void {
    for (const { queue, fault, count } of this.#counts.values()) {
      const more = count - MAX_LINES;
      if (more > 0) this.#log.warn({ queue, fault, orders: more }, "a machine failed more orders");
    }
    this.#counts.clear();
  }
}
