/**
 * Owns the Lua scripts: reads them, runs them, and gathers the calls of one tick into one.
 * Always holds: a script is sent by its hash, and in full only to a Redis that does not know it (a new or restarted one).
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Redis } from "ioredis";
import { withoutWords } from "../log.ts";
import { isRedisAway, RedisAwayError } from "./away.ts";
import { ShopDamagedError } from "./damaged.ts";
import { faultOf, isWrongType } from "./errors.ts";
import { asList, asText } from "./reply.ts";

const folder = join(import.meta.dir, "../../redis");
const read = (name: string): string => readFileSync(join(folder, name), "utf8");
/** What stands before every script, in this order. */
const before = [read("prelude.lua"), read("order.lua")];

/** A line of a script's header: what stands between those and it. */
const NEEDS = /^-- Needs +(\S+)$/m;

export type Argument = string | number;

/** Runs a script of the shop. Rejects when Redis refuses it or does not answer in time. */
export type RunScript = (script: Script, args: readonly Argument[]) => Promise<unknown>;

export interface Script {
  readonly name: string;
  readonly source: string;
  readonly sha1: string;
}

/** Reads `redis/<name>.lua`, and what goes before it. `#!lua` makes Redis refuse the whole script when memory is short. */
export function loadScript(name: string): Script {
  const own = read(`${name}.lua`);
  const needed = NEEDS.exec(own)?.[1];
  const source = ["#!lua", ...before, ...(needed ? [read(needed)] : []), own].join("\n");
  return { name, source, sha1: new Bun.CryptoHasher("sha1").update(source).digest("hex") };
}

/** Runs scripts on one connection, for the shop whose keys begin with `prefix`. */
export function scriptRunner(redis: Redis, prefix: string): RunScript {
  return async (script, args) => {
    try {
      return await redis.evalsha(script.sha1, 1, prefix, ...args);
    } catch (error) {
      if (faultOf(error).kind !== "unknown_script") throw nameDamage(script, error);
      return await redis.eval(script.source, 1, prefix, ...args).catch((fault: unknown) => {
        throw nameDamage(script, fault);
      });
    }
  };
}

/** Asks for nothing, in a way that Redis refuses whenever it would refuse a script that writes. */
export function scriptProbe(redis: Redis, prefix: string): () => Promise<unknown> {
  return async () => await redis.eval("#!lua\nreturn 1", 1, prefix);
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

/**
 * Most items in one run of a script. A batch this full leaves before its tick ends, so that Redis works while the tick goes on;
 * smaller ones cost more runs than that brings (measured: 8, 24 and 128).
 */
const LARGEST_BATCH = 24;

interface Call<Item, Outcome> {
  readonly item: Item;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (reason: unknown) => void;
}

/** The error of a run: one that met a key of the wrong type says which script needs it. */
function nameDamage({ name }: Script, error: unknown): unknown {
  return isWrongType(error) ? new ShopDamagedError(name, error.message) : error;
}

/** The error of one item that failed in a run that went on. */
function failure({ name }: Script, said: string): Error {
  const error = new Error(said);
  if (isWrongType(error)) return new ShopDamagedError(name, said);
  // Another step of the item may have been taken before.
  if (isRedisAway(error)) return new RedisAwayError(true, error);
  return new Error(`${name}: ${withoutWords(said)}`);
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
      if (outcome === "failed") throw failure(script, asText(rest[0]));
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
    if (calls.length > 0) void send(calls);
  };

  return (item) =>
    new Promise((resolve, reject) => {
      if (gathered.length === 0) setImmediate(flush);
      gathered.push({ item, resolve, reject });
      if (gathered.length === LARGEST_BATCH) flush();
    });
}
