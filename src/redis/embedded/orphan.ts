/**
 * Owns the orphan, a Redis that a killed server left running, and the record by which it is found.
 *
 * **Invariants**
 * - A Redis is started on a folder once no other Redis can write there: Redis itself has no lock.
 */
import { execFile } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { kill } from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { StartError } from "../../lifecycle.ts";
import type { Log } from "../../log.ts";
import { ask } from "./ask.ts";

const POLL_MS = 20;

/** A Redis of ours: its process, when that is known, and where it listens. */
type Orphan = { readonly pid: number | undefined; readonly socketPath: string };

/**
 * Writes down which Redis runs on the folder. Synchronous, so that a kill finds as small a gap as possible between the
 * start and the record.
 */
export function recordRedis(recordPath: string, { pid, socketPath }: { pid: number; socketPath: string }): void {
  try {
    writeFileSync(recordPath, `${pid} ${socketPath}\n`, { mode: 0o600 });
  } catch {
    // A full disk, most likely. The process runs all the same, and is found by its socket instead.
  }
}

/**
 * Looks for an orphan on the folder and stops it. Throws StartError with its process id if it has not gone within
 * `timeoutMs`. The caller holds the folder's lock.
 */
export async function stopOrphan(search: {
  socketPath: string;
  recordPath: string;
  timeoutMs: number;
  log: Log;
}): Promise<void> {
  const deadline = performance.now() + search.timeoutMs;
  const orphan = await find(search);
  if (!orphan) return;
  search.log.warn(
    { pid: orphan.pid },
    "a Redis left over from a killed server runs on the data folder; it is stopped first",
  );
  const remainingMs = Math.max(0, deadline - performance.now());
  // Without a snapshot: every answered write is in the append-only file already.
  const { kind } = await ask({
    socketPath: orphan.socketPath,
    command: ["SHUTDOWN", "NOSAVE"],
    timeoutMs: remainingMs,
  });
  if (kind === "no_process" && orphan.pid !== undefined) terminate(orphan.pid);
  // It is no child of this process, so there is no event to wait for.
  while (!(await isGone(orphan))) {
    if (performance.now() > deadline) throw new StartError(stuckMessage(orphan));
    await sleep(POLL_MS);
  }
}

/** By the record first: its process is known even when it hangs, or its socket's file was removed. */
async function find({
  socketPath,
  recordPath,
  timeoutMs,
}: {
  socketPath: string;
  recordPath: string;
  timeoutMs: number;
}): Promise<Orphan | undefined> {
  const recorded = await readRecord(recordPath);
  if (recorded && (await runs(recorded))) return recorded;
  const answer = await ask({ socketPath, command: ["INFO", "server"], timeoutMs });
  if (answer.kind === "no_process") return undefined;
  const [, pid] = answer.kind === "reply" ? (/^process_id:(\d+)/m.exec(String(answer.reply)) ?? []) : [];
  return { pid: pid ? Number(pid) : undefined, socketPath };
}

async function readRecord(recordPath: string): Promise<{ pid: number; socketPath: string } | undefined> {
  const text = await readFile(recordPath, "utf8").catch(() => "");
  const [, pid, socketPath] = /^(\d+) (.+)$/m.exec(text) ?? [];
  return pid && socketPath ? { pid: Number(pid), socketPath } : undefined;
}

async function isGone({ pid, socketPath }: Orphan): Promise<boolean> {
  if (pid !== undefined) return !(await runs({ pid, socketPath }));
  return (await ask({ socketPath, command: ["PING"], timeoutMs: POLL_MS })).kind === "no_process";
}

/**
 * Whether that process is the Redis of that socket. A process id alone is not enough: it may be another process's by
 * now, or that of a dead process that was never reaped.
 */
async function runs({ pid, socketPath }: { pid: number; socketPath: string }): Promise<boolean> {
  return (await commandLine(pid)).includes(socketPath);
}

/** Redis puts its socket into its process title. Empty for a process that is gone. */
async function commandLine(pid: number): Promise<string> {
  try {
    if (existsSync("/proc/self/cmdline")) return await readFile(`/proc/${pid}/cmdline`, "utf8");
    return (await promisify(execFile)("ps", ["-ww", "-o", "command=", "-p", String(pid)])).stdout;
  } catch {
    return "";
  }
}

function terminate(pid: number): void {
  try {
    kill(pid, "SIGTERM");
  } catch {
    // It has gone in between, or may not be signalled: the wait that follows shows which.
  }
}

function stuckMessage({ pid, socketPath }: Orphan): string {
  const fault = "a Redis left over from a killed server does not stop";
  if (pid === undefined) return `${fault}: end the process that listens on ${socketPath}, then start again`;
  return `${fault}: it is process ${pid}. End it with "kill -9 ${pid}" (no order is lost by that), then start again`;
}
