/**
 * Owns finding out, before a run, whether there is a server at all.
 *
 * **Invariants**
 * - A server that is still starting is waited for, for `PATIENCE_MS`; a dead address never keeps a run alive.
 * - Any answer counts, whatever its status: what it says is for the run to judge.
 */
import { call } from "./call.ts";
import { pause } from "./pause.ts";

const PATIENCE_MS = 5000;
const AGAIN_MS = 250;

export async function answers(url: URL, signal: AbortSignal): Promise<boolean> {
  const patience = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]);
  while (!patience.aborted) {
    const reply = await call({ method: "GET", url: new URL("/livez", url), headers: {}, signal: patience });
    if (reply.kind === "answer") return true;
    await pause(AGAIN_MS, patience);
  }
  return false;
}
