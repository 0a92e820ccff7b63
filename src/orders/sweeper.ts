/**
 * Owns the sweeper: one loop a replica that looks after what no request asks for. It cancels orders whose last lease or
 * whose reservation ran out, offers the others again, forgets what retention removed, has queues mended, and logs what
 * is damaged.
 *
 * **Invariants**
 * - It sleeps until the next lease or reservation runs out, at most MAX_SLEEP_MS.
 * - Any number of replicas may sweep at once.
 * - One part that fails keeps no other from being done; it is logged once until it succeeds.
 */
import type { Log } from "../log.ts";
import { isRedisUnavailable } from "../redis/unavailable.ts";
import { DamageLog } from "./damage-log.ts";
import type { Orders } from "./orders.ts";

const MAX_SLEEP_MS = 1000;
const MIN_SLEEP_MS = 20;
const FORGET_EVERY_MS = 60_000;
const INSPECT_EVERY_MS = 1000;
/** A queue that was mended in vain is left alone for this long. */
const MEND_AGAIN_MS = 60_000;
/** Most damaged orders that a round looks at. */
const MAX_DAMAGED = 100;

export interface Sweeper {
  /** No further round begins; one under way ends with its connection. */
  stop(): void;
}

type Swept = Pick<Orders, "expire" | "forget" | "inspect" | "mend">;

export function startSweeper(orders: Swept, log: Log): Sweeper {
  const parts = [createExpiry(orders, log), createForgetting(orders), createInspection(orders, log)];
  const failing = new Set<Part>();
  let over = Promise.withResolvers<void>();
  let stopped = false;
  let mustWait = false;

  /** False when Redis is unavailable: then there is nothing more to try. */
  const attempt = async (part: Part): Promise<boolean> => {
    try {
      await part.sweep();
      failing.delete(part);
      return true;
    } catch (error) {
      // An outage is logged by itself.
      const isUnavailable = isRedisUnavailable(error);
      if (!isUnavailable && !failing.has(part) && !stopped) {
        log.warn({ err: error }, `${part.name} can't be looked after: trying again`);
      }
      if (isUnavailable) mustWait = true;
      else failing.add(part);
      return !isUnavailable;
    }
  };

  const round = async (): Promise<void> => {
    mustWait = false;
    for (const part of parts) if (stopped || !(await attempt(part))) return;
  };

  const loop = async (): Promise<void> => {
    while (!stopped) {
      await round();
      over = Promise.withResolvers();
      const sleepMs = mustWait || failing.size > 0 ? MAX_SLEEP_MS : Math.min(...parts.map((part) => part.sleepMs()));
      const timer = setTimeout(over.resolve, Math.min(Math.max(sleepMs, MIN_SLEEP_MS), MAX_SLEEP_MS));
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

/** The work of a round, and how long the sweeper may sleep afterwards. */
interface Part {
  readonly name: string;
  sweep(): Promise<void>;
  sleepMs(): number;
}

function createExpiry(orders: Swept, log: Log): Part {
  let nextMs: number | null = null;
  return {
    name: "leases",
    sweep: async () => {
      const expired = await orders.expire();
      nextMs = expired.nextMs;
      if (expired.cancelled > 0) log.warn({ cancelled: expired.cancelled }, "orders cancelled: their time was over");
    },
    sleepMs: () => nextMs ?? MAX_SLEEP_MS,
  };
}

function createForgetting(orders: Swept): Part {
  let forgetAt = 0;
  let from = "";
  return {
    name: "what retention removed",
    sweep: async () => {
      if (performance.now() < forgetAt) return;
      const { next } = await orders.forget(from);
      from = next;
      if (next === "") forgetAt = performance.now() + FORGET_EVERY_MS;
    },
    sleepMs: () => MAX_SLEEP_MS,
  };
}

function createInspection(orders: Swept, log: Log): Part {
  const damageLog = new DamageLog(log);
  const mendAt = new Map<string, number>();
  let inspectAt = 0;

  const mend = async (queue: string): Promise<void> => {
    if (performance.now() < (mendAt.get(queue) ?? 0)) return;
    const { dropped, restored } = await orders.mend(queue);
    if (dropped + restored > 0) log.warn({ queue, dropped, restored }, "a queue and its orders disagreed: mended");
    else mendAt.set(queue, performance.now() + MEND_AGAIN_MS);
  };

  return {
    name: "damage",
    sweep: async () => {
      if (performance.now() < inspectAt) return;
      inspectAt = performance.now() + INSPECT_EVERY_MS;
      const inspection = await orders.inspect(MAX_DAMAGED);
      damageLog.note(inspection);
      for (const queue of inspection.unevenQueues) await mend(queue);
    },
    sleepMs: () => MAX_SLEEP_MS,
  };
}
