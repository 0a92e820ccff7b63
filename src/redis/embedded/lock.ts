/**
 * Owns the lock on a data folder.
 *
 * **Invariants**
 * - At most one server of this machine has a folder.
 * - The kernel frees the folder when that server dies, however it dies.
 * - The lock is SQLite's, an fcntl lock: Bun has no file lock of its own.
 * - A child does not inherit it, so a Redis that outlives its server does not keep it.
 */
import { Database, SQLiteError } from "bun:sqlite";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pid } from "node:process";
import { StartError } from "../../lifecycle.ts";

export type FolderLock = { release(): void };

/** Keeps the garbage collector from closing, and so freeing, a lock that is held. */
const locked = new Set<Database>();

/**
 * Makes `folder` (absolute) where it is missing, readable by its owner only, and locks it. Throws StartError, which
 * names the holder, if another server has it.
 */
export function lockFolder(folder: string): FolderLock {
  const pidPath = join(folder, "server.pid");
  const database = open(folder);
  try {
    database.run("PRAGMA busy_timeout = 0");
    database.run("PRAGMA locking_mode = EXCLUSIVE");
    // An exclusive transaction that writes nothing: the lock and no more, so nothing is left to recover after a kill.
    database.run("BEGIN EXCLUSIVE");
    writeFileSync(pidPath, `${pid}\n`);
  } catch (error) {
    database.close();
    throw isTaken(error) ? new StartError(takenMessage(folder, pidPath)) : unusable(folder, error);
  }
  locked.add(database);
  return {
    release() {
      if (!locked.delete(database)) return;
      // The pid goes first: once the lock is free, the file may be another server's. The lock's own file stays, as two
      // servers could each lock another one of that name.
      rmSync(pidPath, { force: true });
      database.close();
    },
  };
}

function open(folder: string): Database {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return new Database(join(folder, "lock.sqlite"), { create: true });
  } catch (error) {
    throw unusable(folder, error);
  }
}

function isTaken(error: unknown): boolean {
  return error instanceof SQLiteError && error.code === "SQLITE_BUSY";
}

function takenMessage(folder: string, pidPath: string): string {
  return (
    `another server${ownerOf(pidPath)} runs on the data folder ${folder}. ` +
    "Stop it first; or set REDIS_URL on both, as replicas share one Redis; or set another DATA_DIR for a shop of its own"
  );
}

/** For the message only: the lock decides, not this file. */
function ownerOf(pidPath: string): string {
  try {
    const owner = readFileSync(pidPath, "utf8").trim();
    return owner ? ` (process ${owner})` : "";
  } catch {
    return "";
  }
}

function unusable(folder: string, error: unknown): StartError {
  return new StartError(
    `the data folder ${folder} can't be used (${error instanceof Error ? error.message : String(error)}): ` +
      "set REDIS_URL to a Redis that runs, as containers need, or DATA_DIR to a folder that can be written",
  );
}
