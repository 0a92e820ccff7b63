/**
 * Owns the processes that the bench has started.
 *
 * **Invariants**
 * - None outlives the bench, however it ends.
 * - Each is ended by its own id.
 */

const running = new Set<Bun.Subprocess>();

const END_BOUND_MS = 5000;

process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});
for (const [signal, exitCode] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const) {
  process.once(signal, () => process.exit(exitCode));
}

/** Sees to it that the process ends with this one. */
export function watchChild<Child extends Bun.Subprocess>(child: Child): Child {
  running.add(child);
  void child.exited.then(() => running.delete(child));
  return child;
}

/** Asks it to end, and after a while makes it. */
export async function endChild(child: Bun.Subprocess, signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
  child.kill(signal);
  const timer = setTimeout(() => child.kill("SIGKILL"), END_BOUND_MS);
  await child.exited.finally(() => clearTimeout(timer));
}
