/**
 * Owns the running of scripts, and their copies in Redis: hashes that it knows, and libraries of functions.
 *
 * **Invariants**
 * - A script is sent by its hash or name.
 * - It is sent in full only to a Redis that does not know it.
 * - A library is named by its content, so servers of several versions use one Redis.
 * - At most MAX_LIBRARIES are kept. A server whose library was dropped loads it again.
 */
import type { Redis } from "ioredis";
import { ShopDamagedError } from "./damaged.ts";
import { faultOf, isWrongType } from "./errors.ts";
import { asList, asText } from "./reply.ts";
import { LIBRARY_PREFIX, type Argument, type RunScript, type Script } from "./script.ts";
import { ScriptCall } from "./script-call.ts";
import { readSuperseded } from "./superseded.ts";

/** Runs scripts on one connection, for the shop whose keys begin with `prefix`. */
export function scriptRunner(redis: Redis, prefix: string): RunScript {
  const call = (script: Script, args: readonly Argument[]): Promise<unknown> =>
    redis.sendCommand(new ScriptCall(script, prefix, args)) as Promise<unknown>;

  /** Both are sent at once: calls stay in the order in which they were asked for. */
  const loadAndCall = async (script: Script, args: readonly Argument[]): Promise<unknown> => {
    const [loaded, called] = await Promise.allSettled([loadInto(redis, script), call(script, args)]);
    if (called.status === "rejected") throw loaded.status === "rejected" ? loaded.reason : called.reason;
    // What fails here is tried again with the next library.
    if (script.command === "fcall") dropOthers(redis, script.id).catch(() => {});
    return called.value;
  };

  return async (script, args) => {
    try {
      return await call(script, args).catch((error: unknown) => {
        if (faultOf(error).kind !== "unknown_script") throw error;
        return loadAndCall(script, args);
      });
    } catch (error) {
      throw nameDamage(script, error);
    }
  };
}

/** Says which script needs a key of a wrong type, or that the data belongs to a newer version. */
function nameDamage({ name }: Script, error: unknown): unknown {
  const superseded = readSuperseded(error);
  if (superseded) return superseded;
  return isWrongType(error) ? new ShopDamagedError(name, error.message) : error;
}

/** Asks for nothing, in a way that Redis refuses whenever it would refuse a script that writes. */
export function scriptProbe(redis: Redis, prefix: string): () => Promise<unknown> {
  return async () => await redis.eval("#!lua\nreturn 1", 1, prefix);
}

/** More versions than are ever in use at once. Each takes about 400 KB of Redis. */
const MAX_LIBRARIES = 8;

/** Makes a script known to Redis. */
async function loadInto(redis: Redis, { command, source }: Script): Promise<void> {
  if (command === "evalsha") {
    await redis.script("LOAD", source);
    return;
  }
  try {
    await redis.function("LOAD", source);
  } catch (error) {
    // Another server was faster.
    if (faultOf(error).kind !== "known_library") throw error;
  }
}

/** Nothing says which libraries are in use: where they have become many, all but this one go. */
async function dropOthers(redis: Redis, own: string): Promise<void> {
  const libraries = asList(await redis.function("LIST", "LIBRARYNAME", `${LIBRARY_PREFIX}*`));
  if (libraries.length <= MAX_LIBRARIES) return;
  const others = libraries.map(nameOf).filter((name) => name !== own);
  // (Another server may drop one first.)
  await Promise.allSettled(others.map((name) => redis.function("DELETE", name)));
}

/** A library is described by names and values in turn. */
function nameOf(library: unknown): string {
  const fields = asList(library);
  return asText(fields[fields.indexOf("library_name") + 1]);
}
