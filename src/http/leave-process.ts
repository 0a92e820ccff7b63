/**
 * Owns that listening leaves nothing on the process: Elysia has each port stopped before the process exits, for ever.
 *
 * **Invariants**
 * - Only what was added meanwhile is taken off.
 */

/** Does something synchronous, and takes off the process the listeners of `beforeExit` that came by it. */
export function leaveProcess(act: () => void): void {
  const known = new Set(process.listeners("beforeExit"));
  try {
    act();
  } finally {
    for (const listener of process.listeners("beforeExit")) {
      if (!known.has(listener)) process.off("beforeExit", listener);
    }
  }
}
