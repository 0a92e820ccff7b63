/**
 * Owns how wrong settings end a start: one error that lists them all.
 *
 * **Invariants**
 * - One fault is one line, which begins with the setting's name.
 * - The process ends with 2.
 */
import { StartError } from "./lifecycle.ts";

const WRONG_SETTING = 2;

export class SettingsError extends StartError {
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(encodeFaults(faults), WRONG_SETTING);
    this.faults = faults;
  }
}

function encodeFaults(faults: readonly string[]): string {
  if (faults.length === 1) return `wrong setting: ${faults[0]}`;
  return `wrong settings:\n${faults.map((fault) => `  ${fault}`).join("\n")}`;
}

type Values<Readings extends readonly unknown[]> = { -readonly [At in keyof Readings]: Awaited<Readings[At]> };

/** Waits for all that is read because of settings. Throws one SettingsError with the faults of all, or what broke. */
export async function readAll<const Readings extends readonly Promise<unknown>[]>(
  readings: Readings,
): Promise<Values<Readings>> {
  const settled = await Promise.allSettled(readings);
  const faults = settled.flatMap((one) => (one.status === "rejected" ? faultsOf(one.reason) : []));
  if (faults.length > 0) throw new SettingsError(faults);
  return await Promise.all(readings);
}

function faultsOf(reason: unknown): readonly string[] {
  if (reason instanceof SettingsError) return reason.faults;
  throw reason;
}
