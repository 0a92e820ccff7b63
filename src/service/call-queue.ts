/**
 * Owns the queues of machines that this server serves: their rules, their limits, and what they take.
 *
 * **Invariants**
 * - A queue that no machine and no setting declares is not served.
 * - Input that a queue does not take is refused before anything is queued.
 */
import type { TSchema } from "@sinclair/typebox";
import { Limiter } from "../limits/limiter.ts";
import type { RejectionLog } from "../limits/rejection-log.ts";
import type { QueueRules } from "../orders/queues.ts";
import type { FieldFault } from "../problem.ts";

/** What is declared of a queue of machines: by a machine, or by the setting QUEUES. */
export interface QueueDeclaration {
  readonly rules: QueueRules;
  /** What it takes and gives, where a machine says so. */
  readonly contract?: QueueContract | undefined;
  /** What an order of that input is found by; without it, its orders are found by nothing but their ids. */
  readonly labelOf?: ((input: unknown) => string) | undefined;
}

export interface QueueContract {
  readonly input: TSchema;
  readonly output: TSchema;
  /** The faults of an input; none: it is taken. */
  readonly checkInput: (input: unknown) => readonly FieldFault[];
}

/** A queue of machines, as a request meets it. */
export interface CallQueue extends QueueDeclaration {
  readonly name: string;
  /** The limit of addresses that call it. */
  readonly limiter: Limiter;
}

export type CallQueues = ReadonlyMap<string, CallQueue>;

export function createCallQueues(
  declarations: readonly QueueDeclaration[],
  rejectionLog: Pick<RejectionLog, "count">,
): CallQueues {
  return new Map(
    declarations.map(({ rules, contract, labelOf }) => {
      const { name, limitCapacity: capacity, limitRefillPerSecond: refillPerSecond } = rules;
      const limiter = new Limiter({ policy: `queue-${name}`, capacity, refillPerSecond }, rejectionLog);
      return [name, { name, rules, contract, labelOf, limiter }];
    }),
  );
}
