/**
 * Owns those who wait until there is something to ask Redis for, each under a name.
 *
 * A message on the channel, `<count> <name>`, says that so many may ask. Each wake is one right to ask.
 *
 * **Invariants**
 * - A wake from any replica reaches as many as it says, first come first served.
 * - A wake that comes too late for one is passed on to the next of the same name.
 * - A wait is bounded: a wake may be lost with a connection.
 */
import type { ShopRedis } from "../redis/connections.ts";

/** The longest wait for a wake. After it, those who wait ask all the same. */
const RELOOK_MS = 30_000;
const doNothing = (): void => {};

/** One who waits. */
export interface Waiter {
  readonly name: string;
  /** Woken since they last began to ask. */
  isWoken: boolean;
  wake: () => void;
}

export class WakeRoom {
  readonly #waiters = new Map<string, Set<Waiter>>();
  readonly #relookMs: number;
  #isClosed = false;

  constructor(redis: Pick<ShopRedis, "listen">, channel: string, relookMs = RELOOK_MS) {
    this.#relookMs = relookMs;
    redis.listen(channel, (message) => {
      if (message === null) return this.#wakeAll();
      const [count = "", name = ""] = message.split(" ", 2);
      this.#wake(name, Number(count));
    });
  }

  /** Whether nothing is waited for any more. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** From now on a wake may be theirs. To be called before they ask, so that none is missed. */
  enter(name: string): Waiter {
    const waiter: Waiter = { name, isWoken: false, wake: doNothing };
    const waiters = this.#waiters.get(name);
    if (waiters) waiters.add(waiter);
    else this.#waiters.set(name, new Set([waiter]));
    return waiter;
  }

  leave(waiter: Waiter): void {
    const { name } = waiter;
    const waiters = this.#waiters.get(name);
    if (!waiters?.delete(waiter)) return;
    if (waiters.size === 0) this.#waiters.delete(name);
    // A wake that came too late for this one is the next one's.
    if (waiter.isWoken) this.#wake(name, 1);
  }

  /**
   * Waits for a wake, for `ms` at most, and resolves to whether to ask again: not when `signal` aborts or the room
   * closes.
   */
  async untilWoken(waiter: Waiter, signal: AbortSignal, ms: number): Promise<boolean> {
    if (!waiter.isWoken && !signal.aborted && !this.#isClosed) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, Math.min(ms, this.#relookMs));
      const end = (): void => resolve();
      signal.addEventListener("abort", end);
      waiter.wake = resolve;
      await promise;
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
    }
    if (signal.aborted || this.#isClosed) return false;
    waiter.isWoken = false;
    return true;
  }

  /** Ends all waits. */
  close(): void {
    this.#isClosed = true;
    for (const waiters of this.#waiters.values()) for (const waiter of waiters) waiter.wake();
  }

  #wake(name: string, count: number): void {
    for (const waiter of this.#waiters.get(name) ?? []) {
      if (count <= 0) return;
      if (waiter.isWoken) continue;
      waiter.isWoken = true;
      waiter.wake();
      count -= 1;
    }
  }

  #wakeAll(): void {
    for (const name of this.#waiters.keys()) this.#wake(name, Infinity);
  }
}
