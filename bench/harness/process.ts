/**
 * Owns the processes that the bench starts, and what the kernel says of a process.
 *
 * **Invariants**
 * - None outlives the bench, however it ends.
 * - Memory and processor time are known on Linux only; elsewhere they are NaN.
 */
import { readFileSync } from "node:fs";

/** Ticks a second of /proc/<pid>/stat: 100 on every Linux that Bun runs on. */
const TICKS_PER_SECOND = 100;
/** Connections beside those that are wanted: lanes, baristas, files. */
const SPARE_FILES = 500;

const running = new Set<Bun.Subprocess>();

process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});
process.once("SIGINT", () => process.exit(130));
process.once("SIGTERM", () => process.exit(143));

/** Starts a process that ends with this one. */
export function spawn(command: readonly string[], options: Parameters<typeof Bun.spawn>[1]): Bun.Subprocess {
  const child = Bun.spawn([...command], options);
  running.add(child);
  void child.exited.then(() => running.delete(child));
  return child;
}

/** The processes that `pid` has started. */
export function childrenOf(pid: number): readonly number[] {
  return read(`/proc/${pid}/task/${pid}/children`).trim().split(" ").filter(Boolean).map(Number);
}

/** Memory in KiB that the processes have in RAM (proc(5), smaps_rollup). */
export function residentKib(pids: readonly number[]): number {
  return sum(pids.map((pid) => Number(/^Rss: +(\d+) kB$/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1] ?? NaN)));
}

/**
 * Seconds of processor time, user and system, since the processes began, with that of their children who have ended
 * (proc(5), stat).
 */
export function processorSeconds(pids: readonly number[]): number {
  const fields = pids.map((pid) => read(`/proc/${pid}/stat`).split(") ")[1]?.split(" ").slice(11, 15) ?? []);
  return sum(fields.flat().map(Number)) / TICKS_PER_SECOND;
}

/** Of these many connections those that a process may open, beside others, and a remark for each that it may not. */
export function withinOpenFiles(wanted: readonly number[]): { sizes: number[]; remarks: string[] } {
  const limit = Number(/^Max open files +(\d+)/m.exec(read("/proc/self/limits"))?.[1] ?? Infinity);
  const sizes = wanted.filter((size) => size + SPARE_FILES <= limit);
  const leftOut = wanted.filter((size) => !sizes.includes(size)).map((size) => size.toLocaleString("en"));
  return { sizes, remarks: leftOut.map((size) => `${size} left out: the limit of open files is too low.`) };
}

/** The smallest of the readings over some seconds: what stays when the garbage is gone. */
export async function settled(reading: () => number, seconds: number): Promise<number> {
  let min = Infinity;
  for (let left = 10; left > 0; left--) {
    await Bun.sleep((seconds * 1000) / 10);
    min = Math.min(min, reading());
  }
  return min;
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
