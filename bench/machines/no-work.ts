/**
 * A machine of no work, for `MACHINES`: it answers with the note of its call, and with how many it has made. BullMQ's
 * twin runs the same function.
 *
 * `concurrency` covers the finishes that are on their way to Redis, for nothing else takes time: a quarter of the
 * bench's 200 customers, so that a queue forms behind it, as behind baristas.
 */
import { Type, type Static } from "@sinclair/typebox";
import { defineMachine } from "../../src/machines/machine.ts";

export const QUEUE = "no-work";
export const CONCURRENCY = 50;

export const Input = Type.Object({ note: Type.String() });
const Output = Type.Object({ note: Type.String(), made: Type.Integer() });

let made = 0;

export function make({ note }: Static<typeof Input>): Static<typeof Output> {
  made += 1;
  return { note, made };
}

export const noWork = defineMachine({ queue: QUEUE, input: Input, output: Output, concurrency: CONCURRENCY, make });
