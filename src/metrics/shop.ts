/**
 * Owns the measuring of the shop for its metrics: one script for all of it.
 *
 * **Invariants**
 * - Scrapes that come close together share a measure: Redis is asked once in KEPT_MS at most.
 * - A scrape waits for it for MEASURE_MS at most.
 */
import type { Log } from "../log.ts";
import { asInteger, asList, asText } from "../redis/reply.ts";
import { loadScript, type RunScript } from "../redis/script.ts";
import { isRedisUnavailable } from "../redis/unavailable.ts";
import { keepReads } from "../shared-reads.ts";
import { within } from "../within.ts";

const KEPT_MS = 1000;
/** Prometheus waits 10 s for a scrape. */
const MEASURE_MS = 2000;

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
  let isFailing = false;
  const measure = keepReads(
    async () => {
      try {
        const measured = readMeasure(queues, asList(await run(script, queues)));
        isFailing = false;
        return measured;
      } catch (error) {
        // An outage is logged by itself.
        if (!isFailing && !isRedisUnavailable(error))
          log.warn({ err: error }, "the shop can't be measured for metrics");
        isFailing = true;
        return undefined;
      }
    },
    { keptMs: KEPT_MS, changes: () => 0 },
  );
  return () => within(MEASURE_MS, measure());
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
