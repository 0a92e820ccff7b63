/**
 * Owns what machines declare: their queues' rules, and what these take and give.
 *
 * **Invariants**
 * - What the setting QUEUES says of a queue counts more than its machine's options: it is the operator's.
 * - Names of a machine's schemas are its own in a description: they can't meet others.
 */
import type { TSchema } from "@sinclair/typebox";
import { toQueueRules } from "../orders/queues.ts";
import type { NamedQueue } from "../queue-settings.ts";
import type { QueueDeclaration } from "../service/call-queue.ts";
import type { Machine } from "./machine.ts";

/** The setting QUEUES, and what holds where nothing more is said of a queue. */
type QueueSettings = Parameters<typeof toQueueRules>[1] & { readonly queues: readonly NamedQueue[] };

/** All queues of a server: those of machines, then the others of the setting. */
export function declareMachineQueues(machines: readonly Machine[], settings: QueueSettings): QueueDeclaration[] {
  const { queues } = settings;
  const own = machines.map((machine): QueueDeclaration => {
    const set = queues.find(({ name }) => name === machine.queue);
    return { rules: toQueueRules({ ...namedQueueOf(machine), ...set }, settings), contract: contractOf(machine) };
  });
  const others = queues.filter(({ name }) => !machines.some(({ queue }) => queue === name));
  return [...own, ...others.map((named) => ({ rules: toQueueRules(named, settings) }))];
}

/** As the setting spells them. */
function namedQueueOf({ queue, rules }: Machine): NamedQueue {
  const named = {
    capacity: rules.capacity,
    lease_seconds: rules.leaseSeconds,
    max_attempts: rules.maxAttempts,
    retention_seconds: rules.retentionSeconds,
    limit_capacity: rules.limitCapacity,
    limit_refill_per_second: rules.limitRefillPerSecond,
  };
  const given = Object.entries(named).filter(([, value]) => value !== undefined);
  return { name: queue, ...(Object.fromEntries(given) as Omit<NamedQueue, "name">) };
}

function contractOf({ queue, input, output, checkInput }: Machine): QueueDeclaration["contract"] {
  return { input: withOwnNames(input, queue), output: withOwnNames(output, queue), checkInput };
}

function withOwnNames(schema: TSchema, queue: string): TSchema {
  return rename(schema, queue) as TSchema;
}

/** A copy, with what TypeBox keeps under symbols, in which names and references to them begin with the queue. */
function rename(part: unknown, queue: string): unknown {
  if (Array.isArray(part)) return part.map((member: unknown) => rename(member, queue));
  if (typeof part !== "object" || part === null) return part;
  const copy: Record<string | symbol, unknown> = {};
  for (const key of Reflect.ownKeys(part)) {
    const value: unknown = Reflect.get(part, key);
    const isName = typeof value === "string" && (key === "$id" || (key === "$ref" && !value.startsWith("#")));
    copy[key] = isName ? `${queue}.${value}` : rename(value, queue);
  }
  return copy;
}
