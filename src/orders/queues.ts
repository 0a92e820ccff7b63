/**
 * Owns the queues of machines: their rules, and their declaration.
 *
 * **Invariants**
 * - A queue's rules are kept in Redis: they are in force on all replicas.
 * - The last declaration of a queue counts.
 */
import type { Log } from "../log.ts";
import type { NamedQueue } from "../queue-settings.ts";
import { asInteger, asList, asText } from "../redis/reply.ts";
import { loadScript, type RunScript } from "../redis/script.ts";

/** The rules of a queue of machines. */
export interface QueueRules {
  readonly name: string;
  /** Most open orders: scheduled, queued and brewing. */
  readonly capacity: number;
  readonly leaseSeconds: number;
  /** How often an order may fail, and how many of its leases may run out. */
  readonly maxAttempts: number;
  /** How long a final order is kept, with its result. */
  readonly retentionSeconds: number;
  /** The bucket of an address. */
  readonly limitCapacity: number;
  readonly limitRefillPerSecond: number;
}

/** What a queue of machines has where its declaration does not say. */
const QUEUE_DEFAULTS = { capacity: 1024, retentionSeconds: 7200 } as const;

interface QueueFallbacks {
  readonly leaseSeconds: number;
  readonly maxAttempts: number;
  readonly limitCapacity: number;
  readonly limitRefillPerSecond: number;
}

/** The rules of a declared queue: what it does not say is as at the counter, or as QUEUE_DEFAULTS has it. */
export function toQueueRules(declared: NamedQueue, fallbacks: QueueFallbacks): QueueRules {
  return {
    name: declared.name,
    capacity: declared.capacity ?? QUEUE_DEFAULTS.capacity,
    leaseSeconds: declared.lease_seconds ?? fallbacks.leaseSeconds,
    maxAttempts: declared.max_attempts ?? fallbacks.maxAttempts,
    retentionSeconds: declared.retention_seconds ?? QUEUE_DEFAULTS.retentionSeconds,
    limitCapacity: declared.limit_capacity ?? fallbacks.limitCapacity,
    limitRefillPerSecond: declared.limit_refill_per_second ?? fallbacks.limitRefillPerSecond,
  };
}

/** A worker, and when it last asked for an order. */
interface SeenWorker {
  readonly name: string;
  readonly seenAt: string;
}

export interface MachineQueueMeasure {
  readonly queue: string;
  readonly depth: number;
  readonly scheduled: number;
  readonly brewing: number;
  readonly oldestWaitingSeconds: number | null;
  readonly workers: readonly SeenWorker[];
}

/** Declares queues. Logs those that had other rules before. */
export async function declareQueues(run: RunScript, queues: readonly QueueRules[], log: Log): Promise<void> {
  if (queues.length === 0) return;
  const args = queues.flatMap((rules) => [rules.name, encodeRules(rules)]);
  for (const queue of asList(await run(loadScript("declare-queues"), args)).map(asText)) {
    log.info({ queue }, "the rules of a queue have changed: those of this server are in force");
  }
}

/** As `redis/lib/queue-rules.lua` reads them. */
function encodeRules(rules: QueueRules): string {
  return [
    Math.round(rules.leaseSeconds * 1000),
    rules.maxAttempts,
    Math.round(rules.retentionSeconds * 1000),
    rules.capacity,
    rules.limitCapacity,
    rules.limitRefillPerSecond,
  ].join(" ");
}

/** Makes the function that measures queues of machines. */
export function createListQueues(run: RunScript) {
  const script = loadScript("list-queues");
  return async (queues: readonly string[]): Promise<MachineQueueMeasure[]> => {
    if (queues.length === 0) return [];
    const measures = asList(await run(script, queues)).map(asList);
    return queues.map((queue, index) => readMeasure(queue, measures[index] ?? []));
  };
}

function readMeasure(queue: string, [depth, scheduled, brewing, oldestMs, workers]: readonly unknown[]) {
  const waitedMs = asInteger(oldestMs);
  return {
    queue,
    depth: asInteger(depth),
    scheduled: asInteger(scheduled),
    brewing: asInteger(brewing),
    oldestWaitingSeconds: waitedMs < 0 ? null : waitedMs / 1000,
    workers: readWorkers(asList(workers)),
  };
}

/** Names and times in turn. */
function readWorkers(reply: readonly unknown[]): SeenWorker[] {
  return reply.flatMap((name, at) => {
    if (at % 2 !== 0) return [];
    return [{ name: JSON.parse(asText(name)) as string, seenAt: new Date(asInteger(reply[at + 1])).toISOString() }];
  });
}
