/**
 * Owns what customers choose from.
 *
 * **Invariants**
 * - Who asks a shop that is away or busy asks again, until the run is over.
 */
import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { call } from "./call.ts";
import { pause } from "./pause.ts";

const CoffeeList = Type.Object({
  coffees: Type.Array(Type.Object({ id: Type.String(), available: Type.Boolean() })),
});

const AGAIN_MS = 1000;

/**
 * The ids of what can be ordered now. Empty where there is no menu, or nothing on it: then who orders names nothing.
 */
export async function readMenu(url: URL, signal: AbortSignal): Promise<readonly string[]> {
  while (!signal.aborted) {
    const reply = await call({ method: "GET", url: new URL("/coffees", url), headers: {}, signal });
    if (reply.kind === "answer" && Value.Check(CoffeeList, reply.body)) {
      return reply.body.coffees.filter(({ available }) => available).map(({ id }) => id);
    }
    if (reply.kind === "answer" && reply.status === 404) return [];
    await pause(AGAIN_MS, signal);
  }
  return [];
}
