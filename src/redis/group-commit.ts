/**
 * Owns the changes of orders on their way to Redis: all operations of one turn of the event loop travel in one run of
 * `redis/commit.lua`, and are answered with one string.
 *
 * A run has a number that grows by slot, and Redis keeps the answer of each slot's last run. A run whose answer was
 * lost is sent again and gets the same answer. A run that was given up keeps its slot until Redis answers; then it is
 * *recalled*: Redis sends the answer of that run, or makes sure that it never runs. Its changes for callers that have
 * gone are undone.
 *
 * **Invariants**
 * - At most RUN_SLOTS runs are under way. Calls that come meanwhile make the next one.
 * - A run is not sent beside one that carries more: what a run costs by itself is shared by as many.
 * - What waits when a run was answered leaves before its answers are given: Redis works meanwhile.
 * - A run does first what frees work: operations run in the order of `OPERATIONS`.
 * - Each call stands or falls alone.
 * - A call waits for a bounded time, then rejects with RedisUnavailableError.
 */
import { withoutWords } from "../log.ts";
import { isRedisUnavailable, RedisUnavailableError } from "./unavailable.ts";
import { ShopDamagedError } from "./damaged.ts";
import { isWrongType } from "./errors.ts";
import { orderIdIn } from "./order-id.ts";
import { asJoined } from "./reply.ts";
import { loadFunction, type Argument, type RunScript } from "./script.ts";

/** The operations, in the order in which a run does them. */
const OPERATIONS = [
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

/** Two: Redis works on one while the other's answers are passed on. */
const RUN_SLOTS = 2;
/** Redis serves no other server while it runs them. */
const MAX_OPERATIONS_PER_RUN = 256;
const OVERDUE_CHECK_MS = 1000;

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

export interface GroupCommitOptions {
  readonly run: RunScript;
  /** Runs a task once Redis answers (again). Vital ones are never dropped. */
  readonly runWhenReconnected: (task: () => Promise<unknown>, isVital?: boolean) => void;
  /** Names this server's runs, and the customers that it holds: unique among all servers, past ones included. */
  readonly replica: string;
  /** How long a call waits for a Redis that is unavailable. */
  readonly outageMs: number;
  /** The arguments that all operations share, as `redis/commit.lua` lists it from ARGV[3] to ARGV[7]. */
  readonly shared: readonly Argument[];
  /** Called with each order that a run of this server made final, and its JSON. */
  readonly notifyFinal: (orderId: string, json: string) => void;
  /** Called with each run that Redis has answered. */
  readonly noteRun: (run: AnsweredRun) => void;
}

/** What a run answered: a line an operation, and more. `sentAtMs`: by `performance.now()`. */
export interface AnsweredRun {
  readonly lines: readonly string[];
  readonly operations: number;
  readonly sentAtMs: number;
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
interface Call {
  readonly calledAtMs: number;
  /** How many of its fields have to travel. */
  width(): number;
  /** Appends its first fields, in the order in which its Lua file lists them. */
  pushTo(args: Argument[], width: number): void;
  settle(line: string): void;
  reject(error: unknown): void;
  undo(line: string): void;
}

interface RunSlot {
  readonly name: string;
  number: number;
}

export class GroupCommit {
  readonly #options: GroupCommitOptions;
  readonly #script = loadFunction("commit");
  /** The calls that wait for a run, by operation, in the order of `OPERATIONS`. */
  readonly #waiting: readonly Call[][] = OPERATIONS.map(() => []);
  readonly #free: RunSlot[];
  #waitingCount = 0;
  /** The calls of the runs under way. */
  #sentCount = 0;
  #isArmed = false;
  #recalling = 0;
  #overdueCheck: ReturnType<typeof setInterval> | undefined;

  constructor(options: GroupCommitOptions) {
    this.#options = options;
    this.#free = Array.from({ length: RUN_SLOTS }, (_, slot) => ({ name: `${options.replica}:${slot}`, number: 0 }));
  }

  /** Makes the function that asks for one operation. */
  operation<Item, Outcome, Field extends string>(operation: Operation<Item, Outcome, Field>): Ask<Item, Outcome> {
    const waiting = this.#waiting[OPERATIONS.indexOf(operation.name)] ?? [];
    const add = (call: Call): void => {
      waiting.push(call);
      this.#waitingCount += 1;
      this.#arm();
    };
    const callBack: Ask<Item, Outcome>["callBack"] = (item, settle, reject) => {
      try {
        add(new OperationCall(operation, item, { settle, reject }));
      } catch (error) {
        // A field that can't be sent rejects this call alone.
        reject(error);
      }
    };
    return createAsk(callBack);
  }

  close(): void {
    clearInterval(this.#overdueCheck);
  }

  #arm(): void {
    if (this.#isArmed || !this.#isDue()) return;
    this.#isArmed = true;
    setImmediate(() => {
      this.#isArmed = false;
      this.#sendDue();
      this.#arm();
    });
  }

  /** (Beside a run that carries more, Redis would only come to it later: it is waited for, and more may come.) */
  #isDue(): boolean {
    return this.#free.length > 0 && this.#waitingCount > 0 && this.#waitingCount >= this.#sentCount;
  }

  #sendDue(): void {
    const runSlot = this.#isDue() ? this.#free.pop() : undefined;
    if (runSlot) void this.#send(runSlot);
  }

  async #send(runSlot: RunSlot): Promise<void> {
    const { calls, args } = this.#take();
    runSlot.number += 1;
    this.#sentCount += calls.length;
    const sentAtMs = performance.now();
    let reply: string | undefined;
    let fault: unknown;
    try {
      reply = await this.#run(runSlot, "commit", args);
    } catch (error) {
      fault = error;
    }
    this.#sentCount -= calls.length;
    if (fault instanceof RedisUnavailableError && fault.mayHaveRun) this.#recallLater(runSlot, calls, sentAtMs);
    else this.#free.push(runSlot);
    this.#sendDue();
    try {
      if (reply === undefined) throw fault;
      this.#settle(calls, reply, sentAtMs);
    } catch (error) {
      for (const call of calls) call.reject(error);
    }
    this.#arm();
  }

  async #run(runSlot: RunSlot, mode: "commit" | "recall", args: readonly Argument[]): Promise<string> {
    const { run, shared, replica } = this.#options;
    return asJoined(await run(this.#script, [runSlot.name, runSlot.number, ...shared, replica, mode, ...args]));
  }

  /** Takes what waits, at most MAX_OPERATIONS_PER_RUN, in the order in which it is to run. */
  #take(): { calls: Call[]; args: Argument[] } {
    const calls: Call[] = [];
    const args: Argument[] = [];
    for (let index = 0; index < OPERATIONS.length; index++) {
      const taken = this.#waiting[index]?.splice(0, MAX_OPERATIONS_PER_RUN - calls.length) ?? [];
      if (taken.length === 0) continue;
      let width = 0;
      for (const call of taken) width = Math.max(width, call.width());
      args.push(OPERATIONS[index] ?? "", taken.length, width);
      for (const call of taken) {
        calls.push(call);
        call.pushTo(args, width);
      }
    }
    this.#waitingCount -= calls.length;
    return { calls, args };
  }

  #settle(calls: readonly Call[], reply: string, sentAtMs: number): void {
    const lines = reply.split("\n");
    if (lines.length < calls.length) {
      throw new Error(`commit answered ${lines.length} lines for ${calls.length} operations`);
    }
    this.#options.noteRun({ lines, operations: calls.length, sentAtMs });
    this.#notifyFinals(lines);
    for (let index = 0; index < calls.length; index++) calls[index]?.settle(lines[index] ?? "");
  }

  /** An order's JSON ends its line. A final order that no operation shows has a line of its own, after theirs. */
  #notifyFinals(lines: readonly string[]): void {
    for (const line of lines) {
      if (!SHOWS_FINAL.test(line)) continue;
      const json = line.slice(line.lastIndexOf("\t") + 1);
      this.#options.notifyFinal(orderIdIn(json), json);
    }
  }

  /** The slot stays taken: its next run would make Redis forget the answer. Dropped, it would be lost. */
  #recallLater(runSlot: RunSlot, calls: readonly Call[], sentAtMs: number): void {
    this.#recalling += 1;
    this.#overdueCheck ??= setInterval(() => this.#rejectOverdue(), OVERDUE_CHECK_MS);
    this.#options.runWhenReconnected(async () => {
      let isOver = true;
      try {
        const reply = await this.#run(runSlot, "recall", []);
        if (reply !== "none") this.#undo(calls, reply.split("\n"), sentAtMs);
      } catch (error) {
        isOver = !(error instanceof RedisUnavailableError);
        throw error;
      } finally {
        if (isOver) this.#endRecall(runSlot);
      }
    }, true);
  }

  #undo(calls: readonly Call[], lines: readonly string[], sentAtMs: number): void {
    this.#options.noteRun({ lines, operations: calls.length, sentAtMs });
    this.#notifyFinals(lines);
    for (const [index, call] of calls.entries()) call.undo(lines[index] ?? "");
  }

  #endRecall(runSlot: RunSlot): void {
    this.#recalling -= 1;
    this.#giveBack(runSlot);
  }

  #giveBack(runSlot: RunSlot): void {
    this.#free.push(runSlot);
    this.#arm();
  }

  /** While slots wait for Redis, calls that no run may take in time are given up. They have not run, and never will. */
  #rejectOverdue(): void {
    const overdueMs = performance.now() - this.#options.outageMs;
    for (const waiting of this.#waiting) {
      const firstInTime = waiting.findIndex(({ calledAtMs }) => calledAtMs > overdueMs);
      const overdue = waiting.splice(0, firstInTime < 0 ? waiting.length : firstInTime);
      this.#waitingCount -= overdue.length;
      for (const call of overdue) call.reject(new RedisUnavailableError(false));
    }
    if (this.#recalling > 0) return;
    clearInterval(this.#overdueCheck);
    this.#overdueCheck = undefined;
  }
}

/** Outcomes that show an order which will never change again. */
const SHOWS_FINAL = /^(?:finished|cancelled|expired|final)\t/;

/** The error of one operation that failed in a run that went on. It changed nothing. */
function failure(name: OperationName, said: string): Error {
  const error = new Error(said);
  if (isRedisUnavailable(error)) return new RedisUnavailableError(false, error);
  if (isWrongType(error)) return new ShopDamagedError(name, said);
  return new Error(`${name}: ${withoutWords(said)}`);
}

/** One of the two is called. */
interface Caller<Outcome> {
  readonly settle: (outcome: Outcome) => void;
  readonly reject: (error: unknown) => void;
}

class OperationCall<Item, Outcome, Field extends string> implements Call {
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
