/**
 * Owns one process of Redis: how it is started, how its end is learned, when it answers.
 *
 * **Invariants**
 * - Starting never throws: the supervisor meets every failure in one place, as an end.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, statSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "../../log.ts";
import { ask } from "./ask.ts";
import { recordRedis } from "./orphan.ts";

const CONF_PATH = resolve(import.meta.dir, "../../../redis/redis.conf");
const POLL_MS = 20;
const PING_TIMEOUT_MS = 5000;
const LOG_TAIL_BYTES = 4096;
const LOG_TAIL_LINES = 10;

/** Where everything of one folder's Redis is. All paths are absolute. */
export type Home = {
  readonly folder: string;
  readonly socketPath: string;
  /** Says which process runs there, for the next start if this server is killed. */
  readonly recordPath: string;
  readonly logPath: string;
};

/** `startedAt` is in ms of `performance.now()`. `ended` resolves to how it ended, also when it could not be started. */
export type Child = {
  readonly startedAt: number;
  /** Where in the log what it says begins, in bytes. */
  readonly logFrom: number;
  readonly ended: Promise<string>;
  hasEnded(): boolean;
  signal(name: "SIGTERM" | "SIGKILL"): void;
};

/** Starts Redis at `home`, where none may run. */
export function startChild(program: string, home: Home): Child {
  const logFrom = statSync(home.logPath, { throwIfNoEntry: false })?.size ?? 0;
  try {
    const child = spawnRedis(program, home);
    if (child.pid !== undefined) recordRedis(home.recordPath, { pid: child.pid, socketPath: home.socketPath });
    return watch(child, logFrom);
  } catch (error) {
    const how = error instanceof Error ? error.message : String(error);
    return {
      startedAt: performance.now(),
      logFrom,
      ended: Promise.resolve(how),
      hasEnded: () => true,
      signal: () => {},
    };
  }
}

function spawnRedis(program: string, home: Home): ChildProcess {
  const options = {
    dir: home.folder,
    port: "0",
    unixsocket: home.socketPath,
    unixsocketperm: "700",
    daemonize: "no",
    logfile: home.logPath,
  };
  const given = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
  // Redis writes faults that it can't log, such as one in its configuration, to its standard error.
  const output = openSync(home.logPath, "a", 0o600);
  try {
    // In a session of its own: a Ctrl-C in the terminal must not end it before the server has drained.
    return spawn(program, [CONF_PATH, ...given], { detached: true, stdio: ["ignore", output, output] });
  } finally {
    closeSync(output);
  }
}

function watch(child: ChildProcess, logFrom: number): Child {
  let over = false;
  const ended = new Promise<string>((resolveEnded) => {
    child.once("exit", (code, signal) => resolveEnded(signal ?? `exit code ${code}`));
    child.once("error", (error) => resolveEnded(error.message));
  }).finally(() => (over = true));
  return {
    startedAt: performance.now(),
    logFrom,
    ended,
    hasEnded: () => over,
    signal: (name) => void child.kill(name),
  };
}

/** Waits until the child answers, has ended, or has said nothing for `silenceTimeoutMs`. */
export async function untilAnswers(wait: {
  child: Child;
  home: Home;
  log: Log;
  silenceTimeoutMs: number;
}): Promise<"answers" | "ended" | "silent"> {
  let heardAt = performance.now();
  let loading = false;
  while (!wait.child.hasEnded()) {
    const answer = await ask({
      socketPath: wait.home.socketPath,
      command: ["PING"],
      timeoutMs: Math.min(PING_TIMEOUT_MS, wait.silenceTimeoutMs),
    });
    if (answer.kind === "reply") return "answers";
    if (answer.kind === "error") {
      heardAt = performance.now();
      if (!loading) wait.log.info("the embedded Redis is loading its data");
      loading = true;
    }
    if (performance.now() - heardAt > wait.silenceTimeoutMs) return "silent";
    await sleep(POLL_MS);
  }
  return "ended";
}

/** The last lines of its log, indented, for a message. */
export async function logTail({ logPath }: Home): Promise<string> {
  const file = Bun.file(logPath);
  if (!(await file.exists())) return "  (it is empty)";
  const text = await file.slice(Math.max(0, file.size - LOG_TAIL_BYTES)).text();
  return text
    .trimEnd()
    .split("\n")
    .slice(-LOG_TAIL_LINES)
    .map((line) => `  ${line}`)
    .join("\n");
}

/**
 * The message of a Redis that is about to end because a write failed: with `appendfsync always` it does not go on
 * without one.
 */
const WRITE_FAULT =
  /(?:Error writing to the AOF file|Can't persist AOF for fsync error.*?'always'): ([^.\n]+)|(Short write while writing to the AOF)/;
/** Less room than this is none: Redis needs some for what it writes beside the orders. */
const ROOM_BYTES = 64 * 1024;

/** Why a child that ended could not write; undefined when that was not why. */
export async function writeFault({ logFrom }: Child, { folder, logPath }: Home): Promise<string | undefined> {
  const log = Bun.file(logPath);
  const said = (await log.exists()) ? await log.slice(Math.max(logFrom, log.size - LOG_TAIL_BYTES)).text() : "";
  const [fault, why, short] = WRITE_FAULT.exec(said) ?? [];
  if (fault) return why ?? short;
  // On a full disk its last words found no room either.
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize < ROOM_BYTES ? "no space left on device" : undefined;
}
