/**
 * Owns what a command sees of its process: where it prints, what its environment says, and when Ctrl-C comes.
 *
 * **Invariants**
 * - Standard output holds what was asked for; all else goes to standard error.
 */

type Environment = Readonly<Record<string, string | undefined>>;

export interface Terminal {
  readonly environment: Environment;
  /** Prints a line of what was asked for. */
  print(text: string): void;
  /** Says something about how it goes, in a line of its own. */
  note(text: string): void;
  /** Says how it goes now. On a terminal it takes the place of what was said so before. */
  status(text: string): void;
  /** Aborted by the first Ctrl-C or SIGTERM from this call on. A second one ends the process. */
  untilStopped(): AbortSignal;
}
