/** Owns what it means to a call that the shop's data belongs to a newer version by now. */

const SAID = /^SUPERSEDED (\S+)/;

/** A newer server has claimed the shop's data for its format. The call has changed nothing, and never will. */
export class SupersededError extends Error {
  override readonly name = "SupersededError";
  readonly version: string;

  constructor(version: string) {
    super(`the shop's data belongs to version ${version}`);
    this.version = version;
  }
}

/** The error of a script that found another format than it reads (`redis/lib/format.lua`); undefined for any other. */
export function readSuperseded(error: unknown): SupersededError | undefined {
  const version = error instanceof Error ? SAID.exec(error.message)?.[1] : undefined;
  return version === undefined ? undefined : new SupersededError(version);
}
