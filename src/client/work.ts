/**
 * Owns a worker: code that makes the orders of a queue, from anywhere that reaches the baristas' port.
 *
 * **Invariants**
 * - An order that was taken is finished, failed or given back, also when the worker stops.
 * - No more orders are in hand than `concurrency`.
 */
import type { Order } from "../orders/order.ts";
import { Barista, type BaristaOptions } from "./barista.ts";
import { createKey } from "./key.ts";
import { queueName, type InputOf, type MachineType, type OutputOf } from "./machine-type.ts";
import { makeOrder, type Handler } from "./making.ts";
import { LeaseTerm } from "./lease.ts";
import { takeTurns, type Ending } from "./turns.ts";
import { Stopping } from "./stopping.ts";

/** Short enough for most proxies. */
const WAIT_SECONDS = 20;

export interface WorkOptions extends Omit<BaristaOptions, "name" | "queue"> {
  /** The worker's name, which its orders carry. A random one where it is absent. */
  readonly barista?: string | undefined;
  /** How many orders are made at once; 1 where it is absent. Each has a request of its own: a browser allows 6. */
  readonly concurrency?: number | undefined;
  /** Aborting it ends the work. */
  readonly signal?: AbortSignal | undefined;
  /** For how long after that the orders in hand may still be made; then they are given back. 0 where it is absent. */
  readonly drainSeconds?: number | undefined;
  /** Called when an order has ended. If it throws, that ends the work. */
  readonly onEnded?: ((order: Order, ending: Ending) => void) | undefined;
}

/**
 * Makes orders of the queue until `signal` is aborted, and resolves with none in hand. Rejects with OrderRefused when
 * the server gives none and no other try can mend that, as for a wrong token; and with what `onRetry` or `onEnded`
 * throws.
 */
export async function work<Machine extends MachineType>(
  queue: Machine | Machine["queue"],
  handler: Handler<InputOf<Machine>, OutputOf<Machine>>,
  options: WorkOptions,
): Promise<void> {
  const { concurrency = 1, drainSeconds = 0 } = options;
  if (!Number.isInteger(concurrency) || concurrency < 1) {
    throw new RangeError(`work: concurrency must be a whole number from 1, not ${concurrency}`);
  }
  const name = options.barista ?? `worker-${createKey().slice(0, 8)}`;
  const barista = new Barista({ ...options, queue: queueName(queue), name });
  const stopping = new Stopping(options.signal, drainSeconds * 1000);
  const { signal, giveBack } = stopping;
  const lease = new LeaseTerm(() => barista.readLeaseSeconds(giveBack));
  const make = (order: Order) => makeOrder(order, handler, { barista, lease, giveBack });
  const faults: unknown[] = [];
  const fail = (fault: unknown): void => {
    faults.push(fault);
    stopping.stop();
  };
  const onEnded = (order: Order, ending: Ending): void => {
    try {
      options.onEnded?.(order, ending);
    } catch (error) {
      fail(error);
    }
  };
  // One that can't go on lets the others end, too.
  const turns = { barista, waitSeconds: WAIT_SECONDS, signal, make, onEnded };
  await Promise.all(Array.from({ length: concurrency }, () => takeTurns(turns).catch(fail)));
  stopping.close();
  if (faults.length > 0) throw faults[0];
}
