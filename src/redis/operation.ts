/**
 * Owns what an operation is, how it is asked for, and one call of it: from its fields to its outcome.
 *
 * **Invariants**
 * - A field that can't be sent, and an outcome that can't be read, reject their own call alone.
 * - A call that failed has changed nothing: nothing of it is undone.
 */
import { withoutWords } from "../log.ts";
import { ShopDamagedError } from "./damaged.ts";
import { isWrongType } from "./errors.ts";
import type { Argument } from "./script.ts";
import { isRedisUnavailable, RedisUnavailableError } from "./unavailable.ts";

/** The operations, in the order in which a run does them. */
export const OPERATIONS = [
  "finish",
  "fail",
  "release",
  "extend",
  "progress",
  "note",
  "cancel",
  "expire",
  "requeue",
  "watch",
  "capture",
  "reverse",
  "refund",
  "repay",
  "decline",
  "authorise",
  "take",
  "attempt",
  "complete",
  "reserve",
  "retry",
  "bury",
  "call",
  "place",
  "start",
] as const;
type OperationName = (typeof OPERATIONS)[number];

/** One change of an order. `fields` are its arguments as its Lua file lists them, in that order. */
export interface Operation<Item, Outcome, Field extends string = string> {
  readonly name: OperationName;
  readonly fields: readonly Field[];
  /** How many of the last fields travel only in a run where one of its calls has one of them: it is not `""`. */
  readonly optional?: number;
  readonly encode: (item: Item) => Readonly<Record<Field, Argument>>;
  /** Reads an answer: the outcome's name, and what follows it. */
  readonly decode: (outcome: string, rest: readonly string[], item: Item) => Outcome;
  /** Takes back what was done for a caller who has gone without an answer. */
  readonly undo?: (outcome: Outcome, item: Item) => void;
}

/** Asks for an operation. Rejects when Redis does not answer in time. */
export interface Ask<Item, Outcome> {
  (item: Item): Promise<Outcome>;
  /** The same, and makes something of the outcome at once: a `then` would be a promise and a turn of its queue more. */
  readonly into: <Result>(item: Item, read: Read<Outcome, Result>) => Promise<Result>;
  /** The same without a promise: calls one of the two, once. It never throws. */
  readonly callBack: (item: Item, settle: (outcome: Outcome) => void, reject: (error: unknown) => void) => void;
}

/** Makes something of an outcome. */
export type Read<Outcome, Result> = (outcome: Outcome) => Result | PromiseLike<Result>;

export function createAsk<Item, Outcome>(callBack: Ask<Item, Outcome>["callBack"]): Ask<Item, Outcome> {
  const into = <Result>(item: Item, read: Read<Outcome, Result>): Promise<Result> =>
    new Promise((resolve, reject) => callBack(item, (outcome) => resolve(read(outcome)), reject));
  const ask = (item: Item): Promise<Outcome> => new Promise((resolve, reject) => callBack(item, resolve, reject));
  return Object.assign(ask, { into, callBack });
}

/** One call of an operation. */
export interface Call {
  readonly calledAtMs: number;
  /** How many of its fields have to travel. */
  width(): number;
  /** Appends its first fields, in the order in which its Lua file lists them. */
  pushTo(args: Argument[], width: number): void;
  settle(line: string): void;
  reject(error: unknown): void;
  undo(line: string): void;
}

/** One of the two is called. */
interface Caller<Outcome> {
  readonly settle: (outcome: Outcome) => void;
  readonly reject: (error: unknown) => void;
}

export class OperationCall<Item, Outcome, Field extends string> implements Call {
  readonly #operation: Operation<Item, Outcome, Field>;
  readonly #item: Item;
  readonly #values: Readonly<Record<Field, Argument>>;
  readonly #caller: Caller<Outcome>;
  readonly calledAtMs = performance.now();

  constructor(operation: Operation<Item, Outcome, Field>, item: Item, caller: Caller<Outcome>) {
    this.#operation = operation;
    this.#item = item;
    this.#values = operation.encode(item);
    this.#caller = caller;
  }

  width(): number {
    const { fields, optional = 0 } = this.#operation;
    let width = fields.length;
    while (width > fields.length - optional && this.#values[fields[width - 1] as Field] === "") width -= 1;
    return width;
  }

  pushTo(args: Argument[], width: number): void {
    const { fields } = this.#operation;
    for (let index = 0; index < width; index++) args.push(this.#values[fields[index] as Field]);
  }

  settle(line: string): void {
    try {
      this.#caller.settle(this.#decode(line));
    } catch (error) {
      this.#caller.reject(error);
    }
  }

  reject(error: unknown): void {
    this.#caller.reject(error);
  }

  undo(line: string): void {
    // An operation that failed has changed nothing.
    if (this.#operation.undo && !line.startsWith("failed\t")) this.#operation.undo(this.#decode(line), this.#item);
  }

  #decode(line: string): Outcome {
    const { name, decode } = this.#operation;
    const end = line.indexOf("\t");
    if (end < 0) return decode(line, [], this.#item);
    const outcome = line.slice(0, end);
    const rest = line.slice(end + 1).split("\t");
    if (outcome === "failed") throw failure(name, rest.join(" "));
    return decode(outcome, rest, this.#item);
  }
}

/** The error of one operation that failed in a run that went on. It changed nothing. */
function failure(name: OperationName, said: string): Error {
  const error = new Error(said);
  if (isRedisUnavailable(error)) return new RedisUnavailableError(false, error);
  if (isWrongType(error)) return new ShopDamagedError(name, said);
  return new Error(`${name}: ${withoutWords(said)}`);
}
