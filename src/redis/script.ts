/**
 * Owns the Lua scripts: reads them, runs them, and gathers the calls of one tick into one.
 * Always holds: a script is sent by its hash, and in full only to a Redis that does not know it (a new or restarted one).
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Redis } from "ioredis";
import { asList, asText } from "./reply.ts";

const folder = join(import.meta.dir, "../../redis");
const prelude = readFileSync(join(folder, "prelude.lua"), "utf8");

export type Argument = string | number;

/** Runs a script of the shop. Rejects when Redis refuses it or does not answer in time. */
export type RunScript = (script: Script, args: readonly Argument[]) => Promise<unknown>;

export interface Script {
  readonly name: string;
  readonly source: string;
  readonly sha1: string;
}

/** Reads `redis/<name>.lua`, its prelude before it. `#!lua` makes Redis refuse the whole script when memory is short. */
export function loadScript(name: string): Script {
  const source = `#!lua\n${prelude}\n${readFileSync(join(folder, `${name}.lua`), "utf8")}`;
  return { name, source, sha1: new Bun.CryptoHasher("sha1").update(source).digest("hex") };
}

/** Runs scripts on one connection, for the shop whose keys begin with `prefix`. */
export function scriptRunner(redis: Redis, prefix: string): RunScript {
  return async (script, args) => {
    try {
      return await redis.evalsha(script.sha1, 1, prefix, ...args);
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith("NOSCRIPT"))) throw error;
      return await redis.eval(script.source, 1, prefix, ...args);
    }
  };
}

/** What one call of a batch script sends and gets. */
export interface BatchScript<Item, Outcome> {
  readonly script: Script;
  /** Arguments that all items share. */
  readonly shared: readonly Argument[];
  /** One item's arguments: as many as the script's header names per item. */
  readonly encode: (item: Item) => readonly Argument[];
  /** One item's reply: its outcome's name, and what follows it. */
  readonly decode: (outcome: string, rest: readonly unknown[]) => Outcome;
}

/** Most items in one run of a script: Redis serves nobody else meanwhile. */
const LARGEST_BATCH = 128;

interface Call<Item, Outcome> {
  readonly item: Item;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * One function for one item, whose calls of the same tick of the event loop travel together:
 * one command, one run of the script, one write. Each call stands or falls alone.
 */
export function batched<Item, Outcome>(
  run: RunScript,
  { script, shared, encode, decode }: BatchScript<Item, Outcome>,
): (item: Item) => Promise<Outcome> {
  let gathered: Call<Item, Outcome>[] = [];

  const settle = ({ resolve, reject }: Call<Item, Outcome>, reply: unknown): void => {
    try {
      const [outcome, ...rest] = asList(reply);
      if (outcome === "failed") throw new Error(`${script.name}: ${asText(rest[0])}`);
      resolve(decode(asText(outcome), rest));
    } catch (error) {
      reject(error);
    }
  };

  const send = async (calls: readonly Call<Item, Outcome>[]): Promise<void> => {
    try {
      const replies = asList(await run(script, [...shared, ...calls.flatMap(({ item }) => encode(item))]));
      for (const [index, call] of calls.entries()) settle(call, replies[index]);
    } catch (error) {
      for (const { reject } of calls) reject(error);
    }
  };

  const flush = (): void => {
    const calls = gathered;
    gathered = [];
    for (let at = 0; at < calls.length; at += LARGEST_BATCH) void send(calls.slice(at, at + LARGEST_BATCH));
  };

  return (item) =>
    new Promise((resolve, reject) => {
      if (gathered.length === 0) setImmediate(flush);
      gathered.push({ item, resolve, reject });
    });
}
