/**
 * Owns the lock on the file of a test acquirer.
 *
 * **Invariants**
 * - At most one acquirer of this machine has a file. The kernel frees it when that one dies.
 * - The lock is SQLite's, on a file beside it: Bun has no file lock of its own.
 */
import { Database } from "bun:sqlite";
import { CommandFailed } from "../failure.ts";

/** One that was killed, or whose server was, may take a moment to go. */
const WAIT_MS = 5000;

/** Held until the process ends: keeps the garbage collector from closing, and so freeing, it. */
const held = new Set<Database>();

/** Locks the file at `path`, or throws CommandFailed where another acquirer has it. */
export function lockData(path: string): void {
  const database = new Database(`${path}.lock`, { create: true });
  try {
    database.run(`PRAGMA busy_timeout = ${WAIT_MS}`);
    database.run("PRAGMA locking_mode = EXCLUSIVE");
    database.run("BEGIN EXCLUSIVE");
  } catch {
    database.close();
    throw new CommandFailed(`another test acquirer runs on ${path}: stop it, or give another file`);
  }
  held.add(database);
}
