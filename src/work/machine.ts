/**
 * Owns the machine of the work service: it adds the numbers from 1 up, and says so in events of its own.
 *
 * **Invariants**
 * - It adds a part at a time: the server goes on meanwhile, and it ends when its signal is aborted.
 * - Its events are stored before its order is ready.
 */
import { Type } from "@sinclair/typebox";
import { defineMachine, type Machine, type MakeContext } from "../machines/machine.ts";
import { nextTurn } from "../turn.ts";
import { WORK_QUEUE, WorkInput } from "./input.ts";

const CONCURRENCY = 16;
const TIMEOUT_SECONDS = 60;
/** Less than a millisecond. */
const ADDED_PER_TURN = 100_000;

/** Rows are views of its orders: these are kept as long as those of the counter. */
export function defineWorkMachine({ retentionHours }: { readonly retentionHours: number }): Machine {
  return defineMachine({
    queue: WORK_QUEUE,
    input: WorkInput,
    output: Type.Integer(),
    concurrency: CONCURRENCY,
    timeoutSeconds: TIMEOUT_SECONDS,
    retentionSeconds: retentionHours * 3600,
    make: ({ add_up_to: addUpTo }, context) => compute(addUpTo, context),
  });
}

async function compute(addUpTo: number, { note, signal }: MakeContext): Promise<number> {
  const noted = [note("compute/start", { add_up_to: addUpTo })];
  const result = await addAll(addUpTo, signal);
  noted.push(note("compute/stop", { add_up_to: addUpTo }), note("compute/result", { result }));
  await Promise.all(noted);
  return result;
}

async function addAll(addUpTo: number, signal: AbortSignal): Promise<number> {
  let sum = 0;
  for (let first = 1; first <= addUpTo; first += ADDED_PER_TURN) {
    if (first > 1) await nextTurn();
    signal.throwIfAborted();
    const last = Math.min(addUpTo, first + ADDED_PER_TURN - 1);
    for (let number = first; number <= last; number += 1) sum += number;
  }
  return sum;
}
