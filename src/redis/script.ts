/**
 * Owns the Lua scripts: reads them with what they include, runs them, and gathers the queries of one turn into one.
 *
 * **Invariants**
 * - A script is sent by its hash, and in full only to a Redis that does not know it (a new or restarted one).
 * - A file's `-- Needs` lines name all that it uses of other files. Each is included once, where it is first needed.
 */
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { Redis } from "ioredis";
import { ShopDamagedError } from "./damaged.ts";
import { ScriptCall } from "./script-call.ts";
import { readSuperseded } from "./superseded.ts";
import { faultOf, isWrongType } from "./errors.ts";

const folder = join(import.meta.dir, "../../redis");
const read = (path: string): string => readFileSync(join(folder, path), "utf8");

export type Argument = string | number;

/** Runs a script of the shop. Rejects when Redis refuses it or does not answer in time. */
export type RunScript = (script: Script, args: readonly Argument[]) => Promise<unknown>;

export interface Script {
  readonly name: string;
  readonly source: string;
  readonly sha1: string;
}

/** Reads `redis/<name>.lua`, and what it needs. `#!lua` makes Redis refuse the whole script when memory is short. */
export function loadScript(name: string): Script {
  const source = `#!lua\n${include(`${name}.lua`, new Set())}`;
  return { name, source, sha1: new Bun.CryptoHasher("sha1").update(source).digest("hex") };
}

/**
 * The file's text, each `-- Needs` line replaced by the files that it names, without those that stand before it
 * already.
 */
function include(path: string, included: Set<string>): string {
  included.add(path);
  const text = read(path).replace(/^ *-- Needs +(.+)$/gm, (_, paths: string) =>
    paths
      .trim()
      .split(/ +/)
      .flatMap(expand)
      .flatMap((needed) => (included.has(needed) ? [] : [include(needed, included)]))
      .join("\n"),
  );
  return path.startsWith("operations/") ? defer(path, text) : text;
}

/** An operation's file is run by the first run that has one of it: most runs have few. */
function defer(path: string, text: string): string {
  const name = basename(path, ".lua");
  return `function load_operation.${name}()\n${text}\nend`;
}

/** `operations/*.lua` is all files of that folder. */
function expand(path: string): string[] {
  if (!path.includes("*")) return [path];
  return [...new Bun.Glob(path).scanSync(folder)].toSorted();
}

/** Runs scripts on one connection, for the shop whose keys begin with `prefix`. */
export function scriptRunner(redis: Redis, prefix: string): RunScript {
  return async (script, args) => {
    try {
      return await redis.sendCommand(new ScriptCall(script.sha1, prefix, args));
    } catch (error) {
      if (faultOf(error).kind !== "unknown_script") throw nameDamage(script, error);
      return await redis.eval(script.source, 1, prefix, ...args).catch((fault: unknown) => {
        throw nameDamage(script, fault);
      });
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

/** Redis serves no other server while it looks at them. */
const MAX_GATHERED = 100;

interface Query<Outcome> {
  readonly id: string;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * One function for one id, whose calls of the same turn of the event loop are one call of `ask`. It answers a line an
 * id, in their order; what can't be read of one rejects that call alone.
 */
export function gathered<Outcome>(
  ask: (ids: readonly string[]) => Promise<readonly string[]>,
  decode: (line: string) => Outcome,
): (id: string) => Promise<Outcome> {
  let queries: Query<Outcome>[] = [];

  const settle = ({ resolve, reject }: Query<Outcome>, line: string): void => {
    try {
      resolve(decode(line));
    } catch (error) {
      reject(error);
    }
  };

  const send = async (some: readonly Query<Outcome>[]): Promise<void> => {
    try {
      const lines = await ask(some.map(({ id }) => id));
      for (const [index, query] of some.entries()) settle(query, lines[index] ?? "");
    } catch (error) {
      for (const { reject } of some) reject(error);
    }
  };

  const flush = (): void => {
    while (queries.length > 0) void send(queries.splice(0, MAX_GATHERED));
  };

  return (id) =>
    new Promise((resolve, reject) => {
      if (queries.length === 0) setImmediate(flush);
      queries.push({ id, resolve, reject });
    });
}
