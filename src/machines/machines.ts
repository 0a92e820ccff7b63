/**
 * Owns all machines of one server: they begin together, and end together when it stops.
 *
 * **Invariants**
 * - They go on until the drain's end, counted from when the server began to stop.
 * - None begins where the server could not be opened.
 */
import { FailureLog } from "./failure.ts";
import type { Machine } from "./machine.ts";
import { Runner, type RunnerParts } from "./runner.ts";

export interface MachinesParts extends Omit<RunnerParts, "failures" | "leaseSeconds"> {
  readonly drainSeconds: number;
  /** The lease of a queue. */
  readonly leaseSecondsOf: (queue: string) => number;
}

export class Machines {
  readonly #parts: MachinesParts;
  readonly #failures: FailureLog;
  #runners: readonly Runner[] = [];
  #closingSinceMs: number | undefined;

  constructor(parts: MachinesParts) {
    this.#parts = parts;
    this.#failures = new FailureLog(parts.log);
    const noteClosing = (): void => {
      this.#closingSinceMs = performance.now();
    };
    parts.closing.addEventListener("abort", noteClosing, { once: true });
  }

  /** Has them begin to work. */
  start(machines: readonly Machine[]): void {
    const { leaseSecondsOf, ...parts } = this.#parts;
    this.#runners = machines.map(
      (machine) =>
        new Runner(machine, { ...parts, failures: this.#failures, leaseSeconds: leaseSecondsOf(machine.queue) }),
    );
  }

  /** Lets them finish what they have until the drain's end, then gives it back. */
  async stop(): Promise<void> {
    const { drainSeconds } = this.#parts;
    const deadlineMs = (this.#closingSinceMs ?? performance.now()) + drainSeconds * 1000;
    await Promise.all(this.#runners.map((runner) => runner.stop(deadlineMs)));
    this.#failures.close();
  }
}
