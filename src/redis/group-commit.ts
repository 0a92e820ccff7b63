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
import { createAsk, OperationCall, OPERATIONS, type Ask, type Call, type Operation } from "./operation.ts";
import { orderIdIn } from "./order-id.ts";
import { asJoined } from "./reply.ts";
import { loadFunction, type Argument, type RunScript } from "./script.ts";
import { RedisUnavailableError } from "./unavailable.ts";

/** Two: Redis works on one while the other's answers are passed on. */
const RUN_SLOTS = 2;
/** Redis serves no other server while it runs them. */
const MAX_OPERATIONS_PER_RUN = 256;
const OVERDUE_CHECK_MS = 1000;

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
    });
  }

  /** (Beside a run that carries more, Redis would only come to it later: it is waited for, and more may come.) */
  #isDue(): boolean {
    return this.#free.length > 0 && this.#waitingCount > 0 && this.#waitingCount >= this.#sentCount;
  }

  #sendDue(): void {
    while (this.#isDue()) {
      const runSlot = this.#free.pop();
      if (runSlot) void this.#send(runSlot);
    }
  }

  async #send(runSlot: RunSlot): Promise<void> {
    const { calls, args } = this.#take();
    runSlot.number += 1;
    this.#sentCount += calls.length;
    const sentAtMs = performance.now();
    let reply: string;
    try {
      reply = await this.#run(runSlot, "commit", args);
    } catch (error) {
      this.#sentCount -= calls.length;
      if (error instanceof RedisUnavailableError && error.mayHaveRun) this.#recallLater(runSlot, calls, sentAtMs);
      else this.#free.push(runSlot);
      rejectAll(calls, error);
      // (Less is under way, so what waits may be due, though the slot stays taken.)
      this.#arm();
      return;
    }
    this.#sentCount -= calls.length;
    this.#free.push(runSlot);
    this.#sendDue();
    this.#settle(calls, reply, sentAtMs);
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
    try {
      const lines = reply.split("\n");
      if (lines.length < calls.length) {
        throw new Error(`commit answered ${lines.length} lines for ${calls.length} operations`);
      }
      this.#options.noteRun({ lines, operations: calls.length, sentAtMs });
      this.#notifyFinals(lines);
      for (let index = 0; index < calls.length; index++) calls[index]?.settle(lines[index] ?? "");
    } catch (error) {
      rejectAll(calls, error);
    }
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

function rejectAll(calls: readonly Call[], error: unknown): void {
  for (const call of calls) call.reject(error);
}
