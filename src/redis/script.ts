/**
 * Owns the Lua scripts: reads them with what they include, and gathers the queries of one turn into one.
 *
 * **Invariants**
 * - A file's `-- Needs` lines name all files that it uses.
 * - Each is included once, where it is first needed.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gatherTurn } from "../turn.ts";

const folder = join(import.meta.dir, "../../redis");
const read = (path: string): string => readFileSync(join(folder, path), "utf8");

/** How the names of libraries begin. */
export const LIBRARY_PREFIX = "longpour_";

export type Argument = string | number;

/** Runs a script of the shop. Rejects when Redis refuses it or does not answer in time. */
export type RunScript = (script: Script, args: readonly Argument[]) => Promise<unknown>;

/**
 * A script of `redis/`. Redis runs most by the hash of their text (`EVALSHA`). A script that has to be fast is a
 * function of a library instead (`FCALL`): Redis keeps its definitions.
 */
export interface Script {
  readonly name: string;
  readonly source: string;
  readonly command: "evalsha" | "fcall";
  /** The name by which Redis knows it: its hash, or the name of the library and its one function. */
  readonly id: string;
}

/** `#!lua` makes Redis refuse the whole script when memory is short. The state of a run is set as it is defined. */
export const SCRIPT_HEAD = "#!lua\nlocal function each_run(start)\n  start()\nend\n";

/** Reads `redis/<name>.lua`, and what it needs. */
export function loadScript(name: string): Script {
  const source = SCRIPT_HEAD + include(`${name}.lua`, new Set());
  return { name, source, command: "evalsha", id: sha1Of(source) };
}

/** Reads `redis/<name>.lua`, which registers a function `$NAME`. Of other content it has another name. */
export function loadFunction(name: string): Script {
  return asFunction(name, include(`${name}.lua`, new Set()));
}

/** The function that a text registers. */
export function asFunction(name: string, text: string): Script {
  const id = `${LIBRARY_PREFIX}${name}_${sha1Of(text).slice(0, 16)}`;
  return { name, source: `#!lua name=${id}\n${text.replace("$NAME", id)}`, command: "fcall", id };
}

function sha1Of(text: string): string {
  return new Bun.CryptoHasher("sha1").update(text).digest("hex");
}

/**
 * The file's text, each `-- Needs` line replaced by the files that it names, without those that stand before it
 * already. The files of a `-- Needs each` line are functions of their own, called at once: none sees another's names.
 */
function include(path: string, included: Set<string>): string {
  included.add(path);
  return read(path).replace(/^ *-- Needs( each)? +(.+)$/gm, (_, each: string | undefined, paths: string) =>
    paths
      .trim()
      .split(/ +/)
      .flatMap(expand)
      .flatMap((needed) => (included.has(needed) ? [] : [include(needed, included)]))
      .map((text) => (each ? `do local function define()\n${text}\nend define() end` : text))
      .join("\n"),
  );
}

/** `operations/*.lua` is all files of that folder. */
function expand(path: string): string[] {
  if (!path.includes("*")) return [path];
  return [...new Bun.Glob(path).scanSync(folder)].toSorted();
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

  const add = gatherTurn<Query<Outcome>>((queries) => {
    while (queries.length > 0) void send(queries.splice(0, MAX_GATHERED));
  });
  return (id) =>
    new Promise((resolve, reject) => {
      add({ id, resolve, reject });
    });
}
