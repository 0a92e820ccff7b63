/**
 * Owns what customers choose from.
 *
 * **Invariants**
 * - A customer who asks a shop that is unavailable or busy asks again, until the run is over.
 */
import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { createAsking } from "../client/ask.ts";
import { createFetch } from "./fetch.ts";

const CoffeeList = Type.Object({
  coffees: Type.Array(Type.Object({ id: Type.String(), available: Type.Boolean() })),
});

/**
 * The ids of what can be ordered now. Empty where there is no menu, or nothing on it: then customers name nothing.
 */
export async function readMenu(url: URL, signal: AbortSignal): Promise<readonly string[]> {
  const ask = createAsking({ url: url.origin, fetch: createFetch() });
  return await ask<readonly string[]>({ path: "/coffees", signal }, ({ ok, json }) => {
    if (!ok || !Value.Check(CoffeeList, json)) return undefined;
    return { kind: "done", value: json.coffees.filter(({ available }) => available).map(({ id }) => id) };
  }).catch(() => []);
}
