/**
 * Owns the order in which things are opened and closed.
 *
 * **Invariants**
 * - The part that was opened last is closed first, and each is closed exactly once.
 * - A part that fails to close keeps none of the others open.
 */
import type { Log } from "./log.ts";

/** Why the server can't start, as one line an operator can act on. `main.ts` prints it and exits with `exitCode`. */
export class StartError extends Error {
  override readonly name = "StartError";
  readonly exitCode: number;

  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Logs which parts did not close. */
export function logFailures(log: Pick<Log, "error">, failures: readonly Error[]): void {
  for (const failure of failures) log.error({ err: failure.cause }, failure.message);
}

type Closer = () => void | Promise<void>;

export class Lifecycle {
  readonly #closers: { readonly name: string; readonly close: Closer }[] = [];

  /** Registers how to close what was just opened. `name` is what a failure is reported under. */
  opened(name: string, close: Closer): void {
    this.#closers.push({ name, close });
  }

  /** Closes everything, last opened first. Resolves to the failures, each named; empty when all closed. */
  async close(): Promise<Error[]> {
    const failures: Error[] = [];
    for (let closer = this.#closers.pop(); closer; closer = this.#closers.pop()) {
      try {
        await closer.close();
      } catch (cause) {
        failures.push(new Error(`${closer.name} did not close`, { cause }));
      }
    }
    return failures;
  }
}
