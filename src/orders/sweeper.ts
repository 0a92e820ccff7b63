/**
 * Owns the sweeper: one loop a replica that looks after what nobody asks for.
 * It cancels orders whose last lease or whose reservation ran out, offers the others again, and forgets what retention removed.
 * Always holds: it sleeps until the next one runs out, at most LONGEST_SLEEP_MS; any number of replicas may sweep at once.
 */
import type { Log } from "../log.ts";
import { isRedisAway } from "../redis/away.ts";
import type { Orders } from "./verbs.ts";

const LONGEST_SLEEP_MS = 1000;
const SHORTEST_SLEEP_MS = 20;
const FORGET_EVERY_MS = 60_000;

export interface Sweeper {
  /** No further round begins; one under way ends with its connection. */
  stop(): void;
}

export function startSweeper(orders: Pick<Orders, "expire" | "forget">, log: Log): Sweeper {
  let over = Promise.withResolvers<void>();
  let stopped = false;
  let forgetAt = 0;
  let skip = 0;
  let failing = false;

  const sweep = async (): Promise<number> => {
    const { nextMs, cancelled } = await orders.expire();
    if (cancelled > 0) log.warn({ cancelled }, "orders cancelled: their time was over");
    if (performance.now() >= forgetAt) {
      const { kept, isMore } = await orders.forget(skip);
      // The kept ones stand first: the next round goes on behind them.
      skip = isMore ? skip + kept : 0;
      if (!isMore) forgetAt = performance.now() + FORGET_EVERY_MS;
    }
    return nextMs ?? LONGEST_SLEEP_MS;
  };

  const succeed = (sleepMs: number): number => {
    failing = false;
    return sleepMs;
  };

  const fail = (error: unknown): number => {
    // An outage is logged by itself.
    if (!isRedisAway(error)) {
      if (!failing && !stopped) log.warn({ err: error }, "leases can't be looked after: trying again");
      failing = true;
    }
    return LONGEST_SLEEP_MS;
  };

  const loop = async (): Promise<void> => {
    while (!stopped) {
      const sleepMs = await sweep().then(succeed, fail);
      over = Promise.withResolvers();
      const timer = setTimeout(over.resolve, Math.min(Math.max(sleepMs, SHORTEST_SLEEP_MS), LONGEST_SLEEP_MS));
      if (!stopped) await over.promise;
      clearTimeout(timer);
    }
  };

  void loop();
  return {
    stop: () => {
      stopped = true;
      over.resolve();
    },
  };
}
