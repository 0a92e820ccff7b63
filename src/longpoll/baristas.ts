/**
 * Owns the baristas who wait on an empty queue for an order to start.
 *
 * **Invariants**
 * - A wake from any replica reaches as many of them as there are new orders, first come first served.
 * - Every wait is bounded, and looks at the queue again at the latest after RELOOK_MS.
 * - An order given to a barista who has hung up goes back.
 */
import type { Finish } from "../orders/operations/finish.ts";
import type { Claim, StartOutcome } from "../orders/operations/start.ts";
import type { ChangeOutcome } from "../orders/outcomes.ts";
import type { Orders } from "../orders/verbs.ts";
import { asItIs, type Read } from "../redis/group-commit.ts";
import type { ShopRedis } from "../redis/connections.ts";

/** A wake may be lost with a connection. */
const RELOOK_MS = 30_000;
const EMPTY: StartOutcome = { kind: "empty" };
const doNothing = (): void => {};

export interface BaristaWait extends Claim {
  /** 0 asks once. */
  readonly seconds: number;
  /** Aborted when the barista hangs up. */
  readonly signal: AbortSignal;
}

/** Of a finish, and of the start that came with it. */
export interface Handover {
  readonly finished: ChangeOutcome;
  readonly started: StartOutcome;
}

interface Verbs extends Pick<Orders, "finish" | "release"> {
  readonly start: Pick<Orders["start"], "into">;
}

interface Waiter {
  /** Woken since it last began to ask. */
  woken: boolean;
  wake: () => void;
}

export class BaristaRoom {
  readonly #orders: Verbs;
  readonly #waiters = new Map<string, Set<Waiter>>();
  #isClosed = false;

  constructor(redis: ShopRedis, orders: Verbs) {
    this.#orders = orders;
    redis.listen(redis.keys.wake, (message) => {
      if (message === null) return this.#wakeAll();
      const [count = "", queue = ""] = message.split(" ", 2);
      this.#wake(queue, Number(count));
    });
  }

  /**
   * Starts an order for the barista, waiting up to `seconds` for one, and answers. Rejects when Redis does not answer.
   */
  start<Answer>(wait: BaristaWait, answer: Read<StartOutcome, Answer>): Promise<Answer> {
    if (wait.seconds === 0) return this.#orders.start.into(wait, (outcome) => this.#give(outcome, wait, answer));
    const { queue } = wait;
    const waitsMs = wait.seconds * 1000;
    const deadline = performance.now() + waitsMs;
    const waiter = this.#enter(queue);
    const started = this.#orders.start.into({ ...wait, waitsMs }, (outcome) => {
      if (outcome.kind === "empty") return this.#startLater(waiter, wait, deadline).then(answer);
      this.#leave(waiter, queue);
      return this.#give(outcome, wait, answer);
    });
    return started.catch((error: unknown) => {
      this.#leave(waiter, queue);
      throw error;
    });
  }

  /** Waits for an order: there was none. */
  async #startLater(waiter: Waiter, wait: BaristaWait, deadline: number): Promise<StartOutcome> {
    const { signal, queue } = wait;
    try {
      for (;;) {
        const leftMs = deadline - performance.now();
        if (leftMs <= 0) return EMPTY;
        if (!waiter.woken && !signal.aborted && !this.#isClosed) {
          await untilWoken(waiter, signal, Math.min(leftMs, RELOOK_MS));
        }
        if (signal.aborted || this.#isClosed) return EMPTY;
        waiter.woken = false;
        const again = { ...wait, waitsMs: Math.max(0, deadline - performance.now()) };
        const outcome = await this.#orders.start.into(again, asItIs);
        if (outcome.kind !== "empty") return await this.#give(outcome, wait, asItIs);
      }
    } finally {
      this.#leave(waiter, queue);
    }
  }

  #enter(queue: string): Waiter {
    const waiter: Waiter = { woken: false, wake: doNothing };
    const waiters = this.#waiters.get(queue);
    if (waiters) waiters.add(waiter);
    else this.#waiters.set(queue, new Set([waiter]));
    return waiter;
  }

  #leave(waiter: Waiter, queue: string): void {
    const waiters = this.#waiters.get(queue);
    if (!waiters?.delete(waiter)) return;
    if (waiters.size === 0) this.#waiters.delete(queue);
    // A wake that came too late for this one is the next one's.
    if (waiter.woken) this.#wake(queue, 1);
  }

  /**
   * Finishes an order and starts the next one, both in one run; waits up to `seconds` for one, and answers. A refused
   * finish starts nothing.
   */
  async finishAndStart<Answer>(
    wanted: Finish,
    claim: BaristaWait,
    answer: (handover: Handover) => Answer,
  ): Promise<Answer> {
    const { seconds, signal } = claim;
    const isWaiting = seconds > 0 && !this.#isClosed;
    // Both are asked for in this turn: a run does finishes first.
    const [finished, first] = await Promise.all([
      this.#orders.finish(wanted),
      this.#isClosed ? EMPTY : this.#orders.start.into({ ...claim, after: wanted.orderId }, asItIs),
    ]);
    if (finished.kind !== "changed") return answer({ finished, started: EMPTY });
    const answerWith = (started: StartOutcome): Answer => answer({ finished, started });
    if (first.kind !== "empty" || !isWaiting || signal.aborted) return await this.#give(first, claim, answerWith);
    return await this.start(claim, answerWith);
  }

  /** Ends the wait of all baristas, without an order. */
  close(): void {
    this.#isClosed = true;
    for (const waiters of this.#waiters.values()) for (const waiter of waiters) waiter.wake();
  }

  /** Gives an order out; where its barista has hung up, and can't come back to it by a claim, it goes back. */
  #give<Answer>(
    outcome: StartOutcome,
    wait: BaristaWait,
    answer: Read<StartOutcome, Answer>,
  ): Answer | PromiseLike<Answer> {
    if (outcome.kind !== "started" || wait.claim !== undefined || !wait.signal.aborted) return answer(outcome);
    const { orderId } = outcome;
    return this.#orders.release({ orderId, barista: wait.barista }).then(() => answer(EMPTY));
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
