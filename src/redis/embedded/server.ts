/**
 * Owns the Redis that the server runs for itself when it is given none: which program, on which folder, behind which
 * socket.
 *
 * **Invariants**
 * - One Redis at most writes in the folder, and after `stop` neither a process nor the lock is left.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { lstatSync, mkdirSync, rmSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { StartError } from "../../lifecycle.ts";
import type { Log } from "../../log.ts";
import type { Home } from "./child.ts";
import { Supervisor } from "./supervisor.ts";
import { stopOrphan } from "./orphan.ts";
import { type FolderLock, lockFolder } from "./lock.ts";
import { installProgram, type Program } from "../install.ts";

export const REDIS: Program = {
  names: ["redis-server", "valkey-server"],
  // Where a distribution has both, Valkey: some still call a Redis older than 7.0 by that name.
  packages: {
    "apt-get": "redis-server",
    dnf: "valkey",
    apk: "valkey",
    pacman: "valkey",
    zypper: "valkey",
    brew: "redis",
  },
  byHand: "install Redis 7.0 or newer (or Valkey 8), or set REDIS_URL to one that runs",
};
const OLDEST_MAJOR = 7;
const VERSION_TIMEOUT_MS = 10_000;

/** The path of a unix socket has 104 bytes on macOS and 108 on Linux, one of them its end mark. */
const SOCKET_PATH_BYTES = 103;

export type EmbeddedRedis = {
  /** Where Redis listens, and nowhere else. A Redis that died is started again on the same one. */
  readonly socketPath: string;
  /** Stops Redis and frees the folder. Calling it again changes nothing. */
  stop(): Promise<void>;
};

type Settings = {
  readonly dataDir: string;
  readonly log: Log;
  /**
   * How long Redis may say nothing while it starts. Loading its data counts as saying something, however long it takes.
   */
  readonly startTimeoutMs?: number;
  /** How long a Redis, ours or an orphan, may take to stop. */
  readonly stopTimeoutMs?: number;
};

/**
 * Locks the data folder, stops a Redis that a killed server left there, starts one and keeps it running. Throws
 * StartError if the folder is taken, if there is no Redis to run, if it does not start, or if the old one does not
 * stop.
 */
export async function startEmbeddedRedis({
  dataDir,
  log,
  startTimeoutMs = 60_000,
  stopTimeoutMs = 10_000,
}: Settings): Promise<EmbeddedRedis> {
  const folder = resolve(dataDir);
  const lock = lockFolder(folder);
  try {
    const program = await installProgram(REDIS, { log });
    await checkVersion(program);
    const home = homeOf(folder);
    await stopOrphan({ ...home, timeoutMs: stopTimeoutMs, log });
    const supervisor = new Supervisor({ program, home, log, stopTimeoutMs });
    await supervisor.start(startTimeoutMs);
    let stopped: Promise<void> | undefined;
    return { socketPath: home.socketPath, stop: () => (stopped ??= stop({ supervisor, home, lock })) };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** The lock is released last: the server that gets it next finds nothing running. */
async function stop({
  supervisor,
  home,
  lock,
}: {
  supervisor: Supervisor;
  home: Home;
  lock: FolderLock;
}): Promise<void> {
  await supervisor.stop();
  rmSync(home.recordPath, { force: true });
  const socketFolder = dirname(home.socketPath);
  if (socketFolder !== home.folder) rmSync(socketFolder, { recursive: true, force: true });
  lock.release();
}

async function checkVersion(program: string): Promise<void> {
  const { stdout } = await promisify(execFile)(program, ["--version"], { timeout: VERSION_TIMEOUT_MS }).catch(
    (error: unknown) => {
      throw new StartError(
        `${program} can't be run (${error instanceof Error ? error.message : String(error)}): ${REDIS.byHand}`,
      );
    },
  );
  const [, version, major] = /v=((\d+)[\d.]*)/.exec(stdout) ?? [];
  // A Redis that prints its version otherwise is let through: the server checks again once it is connected.
  if (version && Number(major) < OLDEST_MAJOR)
    throw new StartError(`${program} is version ${version}, which is too old: ${REDIS.byHand}`);
}

function homeOf(folder: string): Home {
  return {
    folder,
    socketPath: socketPathFor(folder),
    recordPath: join(folder, "redis.pid"),
    logPath: join(folder, "redis.log"),
  };
}

/**
 * In the folder; or, where that path is too long for a socket, among the temporary files, in a folder named after the
 * data folder.
 */
function socketPathFor(folder: string): string {
  const inside = join(folder, "redis.sock");
  if (Buffer.byteLength(inside) <= SOCKET_PATH_BYTES) return inside;
  const hash = createHash("sha256").update(folder).digest("hex").slice(0, 16);
  const outside = join(tmpdir(), `longpour-${hash}`);
  if (isPrivateFolder(outside)) return join(outside, "redis.sock");
  throw new StartError(
    `the folder ${outside}, for the socket of Redis, can't be made, or is not this user's alone: remove it, or set a shorter DATA_DIR`,
  );
}

/**
 * Makes the folder if it is missing. Anyone may write among the temporary files: a folder that another user made first
 * is not to be trusted.
 */
function isPrivateFolder(path: string): boolean {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch {
    // It may be there already; what is there is looked at below.
  }
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found !== undefined && found.isDirectory() && found.uid === userInfo().uid && (found.mode & 0o077) === 0;
}
