/**
 * Owns the measuring of the shop for its metrics.
 *
 * **Invariants**
 * - One script measures all of it: its figures are of the same moment.
 */
import type { Log } from "../log.ts";
import { asInteger, asList, asText } from "../redis/reply.ts";
import { loadScript, type RunScript } from "../redis/script.ts";
import { createMeasuring } from "./measuring.ts";

interface QueueMeasure {
  readonly queue: string;
  readonly queued: number;
  readonly scheduled: number;
  readonly unpaid: number;
  readonly brewing: number;
  /** 0 where none waits. */
  readonly oldestWaitingSeconds: number;
}

export interface ShopMeasure {
  readonly queues: readonly QueueMeasure[];
  readonly damaged: number;
  readonly reserved: number;
  readonly dead: number;
  /** How many events each durable reader has yet to handle. */
  readonly readers: readonly { readonly reader: string; readonly lag: number }[];
}

/** Makes the measuring; undefined: Redis does not answer in time, or the shop can't be measured. */
export function createMeasureShop(
  run: RunScript,
  queues: readonly string[],
  log: Log,
): () => Promise<ShopMeasure | undefined> {
  const script = loadScript("measure-shop");
  return createMeasuring(
    async () => readMeasure(queues, asList(await run(script, queues))),
    (error) => log.warn({ err: error }, "the shop can't be measured for metrics"),
  );
}

function readMeasure(names: readonly string[], reply: readonly unknown[]): ShopMeasure {
  const [damaged, reserved, dead, newest, readers, ...queues] = reply;
  return {
    damaged: asInteger(damaged),
    reserved: asInteger(reserved),
    dead: asInteger(dead),
    readers: readReaders(asList(readers).map(asText), asInteger(newest)),
    queues: names.map((queue, index) => readQueue(queue, asList(queues[index]).map(asInteger))),
  };
}

function readQueue(queue: string, [queued = 0, scheduled = 0, unpaid = 0, brewing = 0, oldestMs = 0]: number[]) {
  return { queue, queued, scheduled, unpaid, brewing, oldestWaitingSeconds: Math.max(0, oldestMs) / 1000 };
}

/** Names and ids in turn. Events are numbered without gaps. */
function readReaders(reply: readonly string[], newest: number): ShopMeasure["readers"] {
  return reply.flatMap((reader, at) => {
    const handled = Number(reply[at + 1]?.split("-")[1]);
    return at % 2 === 0 && handled >= 0 ? [{ reader, lag: Math.max(0, newest - handled) }] : [];
  });
}
