/**
 * Owns what the kernel says of a process: its memory and its time on the processor. Linux only; elsewhere it is not
 * known (NaN).
 */
import { readFileSync } from "node:fs";

/** Ticks a second of /proc/<pid>/stat: 100 on every Linux that Bun runs on. */
const TICKS_PER_SECOND = 100;

/** Memory in KiB that the processes have in RAM (proc(5), smaps_rollup). */
export function residentKib(pids: readonly number[]): number {
  return sum(pids.map((pid) => Number(/^Rss: +(\d+) kB$/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1] ?? NaN)));
}

/**
 * Seconds of processor time, user and system, since the processes began, with that of their children who have ended
 * (proc(5), stat).
 */
export function processorSeconds(pids: readonly number[]): number {
  return sum(
    pids.map((pid) => {
      const fields = read(`/proc/${pid}/stat`).split(") ")[1]?.split(" ") ?? [];
      return sum(fields.slice(11, 15).map(Number)) / TICKS_PER_SECOND;
    }),
  );
}

/** The processes that `pid` has started. */
export function childrenOf(pid: number): number[] {
  return read(`/proc/${pid}/task/${pid}/children`).trim().split(" ").filter(Boolean).map(Number);
}

/** How many files and sockets a process may open, as far as is known. */
export function openFilesLimit(): number {
  return Number(/^Max open files +(\d+)/m.exec(read("/proc/self/limits"))?.[1] ?? Infinity);
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
