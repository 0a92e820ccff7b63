/**
 * Owns the finding of the process that listens on a port of this machine, and of its open files. Linux only.
 *
 * **Invariants**
 * - Of a process only its name, its limit and the number of its files are read: no environment, no memory.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

export interface Listener {
  readonly pid: number;
  readonly name: string;
  readonly openFiles: number;
  readonly maxFiles: number;
}

const LISTENING = "0A";

/** The processes that listen there, as far as this user may see them. */
export function findListeners(port: number): readonly Listener[] {
  const inodes = new Set(["/proc/net/tcp", "/proc/net/tcp6"].flatMap((table) => listeningInodes(table, port)));
  if (inodes.size === 0) return [];
  const pids = list("/proc").filter((name) => /^\d+$/.test(name));
  return pids.flatMap((pid) => {
    const files = list(`/proc/${pid}/fd`);
    const isListening = files.some((file) =>
      inodes.has(/^socket:\[(\d+)\]$/.exec(link(`/proc/${pid}/fd/${file}`))?.[1] ?? ""),
    );
    if (!isListening) return [];
    const maxFiles = Number(/^Max open files +(\d+)/m.exec(read(`/proc/${pid}/limits`))?.[1] ?? NaN);
    return [{ pid: Number(pid), name: read(`/proc/${pid}/comm`).trim(), openFiles: files.length, maxFiles }];
  });
}

/** `sl local_address rem_address st … inode`, addresses as hexadecimal `ADDRESS:PORT`. */
function listeningInodes(table: string, port: number): string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return read(table)
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => columns[1]?.endsWith(suffix) && columns[3] === LISTENING)
    .map((columns) => columns[9] ?? "");
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // Another system, a process that has ended, or another user's.
    return "";
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function link(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}
