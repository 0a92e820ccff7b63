/**
 * Owns the baristas who wait on an empty queue for an order to start.
 * Always holds: a wake from any replica reaches as many of them as there are new orders, first come first served; every wait is
 * bounded, and looks at the queue again at the latest after RELOOK_MS; an order given to a barista who has hung up goes back.
 */
import type { Claim, Orders, StartOutcome } from "../orders/verbs.ts";
import type { ShopRedis } from "../redis/connections.ts";

/** A wake may be lost with a connection. */
const RELOOK_MS = 30_000;

export interface BaristaWait extends Claim {
  /** 0 asks once. */
  readonly seconds: number;
  /** Aborted when the barista hangs up. */
  readonly signal: AbortSignal;
}

interface Waiter {
  /** Woken since it last began to ask. */
  woken: boolean;
  wake: () => void;
}

export class BaristaRoom {
  readonly #orders: Pick<Orders, "start" | "release">;
  readonly #waiters = new Map<string, Set<Waiter>>();
  #isClosed = false;

  constructor(redis: ShopRedis, orders: Pick<Orders, "start" | "release">) {
    this.#orders = orders;
    redis.listen(redis.keys.wake, (message) => {
      if (message === null) return this.#wakeAll();
      const [count = "", queue = ""] = message.split(" ", 2);
      this.#wake(queue, Number(count));
    });
  }

  /** Starts an order for the barista, waiting up to `seconds` for one. Rejects when Redis does not answer. */
  async start({ seconds, signal, ...claim }: BaristaWait): Promise<StartOutcome> {
    const deadline = performance.now() + seconds * 1000;
    const waiter: Waiter = { woken: false, wake: () => {} };
    const waiters = this.#waiters.get(claim.queue) ?? new Set();
    this.#waiters.set(claim.queue, waiters.add(waiter));
    try {
      for (;;) {
        waiter.woken = false;
        const outcome = await this.#orders.start(claim);
        if (outcome.kind === "started") {
          return signal.aborted && !claim.mayReturn ? await this.#putBack(outcome.orderId, claim) : outcome;
        }
        const leftMs = deadline - performance.now();
        if (outcome.kind !== "empty" || leftMs <= 0) return outcome;
        if (!waiter.woken && !signal.aborted && !this.#isClosed) {
          await untilWoken(waiter, signal, Math.min(leftMs, RELOOK_MS));
        }
        if (signal.aborted || this.#isClosed) return outcome;
      }
    } finally {
      waiters.delete(waiter);
      if (waiters.size === 0) this.#waiters.delete(claim.queue);
      // A wake that came too late for this one is the next one's.
      if (waiter.woken) this.#wake(claim.queue, 1);
    }
  }

  /** Sends all waiting baristas away without an order. */
  close(): void {
    this.#isClosed = true;
    for (const waiters of this.#waiters.values()) for (const waiter of waiters) waiter.wake();
  }

  /** Nobody is there to take the order. */
  async #putBack(orderId: string, { barista }: Claim): Promise<StartOutcome> {
    await this.#orders.release({ orderId, barista });
    return { kind: "empty" };
  }

  #wake(queue: string, count: number): void {
    for (const waiter of this.#waiters.get(queue) ?? []) {
      if (count <= 0) return;
      if (waiter.woken) continue;
      waiter.woken = true;
      waiter.wake();
      count -= 1;
    }
  }

  #wakeAll(): void {
    for (const queue of this.#waiters.keys()) this.#wake(queue, Infinity);
  }
}

/** Waits until the waiter is woken, `signal` aborts, or `ms` are over. */
async function untilWoken(waiter: Waiter, signal: AbortSignal, ms: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const end = (): void => resolve();
  signal.addEventListener("abort", end);
  waiter.wake = resolve;
  await promise;
  clearTimeout(timer);
  signal.removeEventListener("abort", end);
}
