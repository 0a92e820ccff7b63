/**
 * Owns how tests harm a shop in Redis: its keys and its orders' records, and how they put them right.
 *
 * **Invariants**
 * - What was there is kept aside, so that it can be put back as it was.
 */
import type { Redis } from "ioredis";
import { parseRecord, type OrderRecord } from "./state.ts";

/** Every type that Redis has, and a command that makes a key of it. */
const MAKERS: Readonly<Record<string, (redis: Redis, key: string) => Promise<unknown>>> = {
  string: (redis, key) => redis.set(key, "not what it should be"),
  list: (redis, key) => redis.rpush(key, "not what it should be"),
};

/** Puts a value of another type under a key; resolves to how to put back what was there. */
export async function spoil(redis: Redis, key: string): Promise<() => Promise<void>> {
  const kept = `kept:${key}`;
  const type = await redis.type(key);
  if (type !== "none") await redis.rename(key, kept);
  await MAKERS[type === "string" ? "list" : "string"]?.(redis, key);
  return async () => {
    await redis.del(key);
    if (type !== "none") await redis.rename(kept, key);
  };
}

/** Changes lines of a stored order, whatever they then are. Its time to live stays. */
export async function garble(redis: Redis, key: string, lines: Partial<OrderRecord>): Promise<void> {
  const record = { ...parseRecord((await redis.get(key)) ?? ""), ...lines };
  await redis.set(key, Object.values(record).join("\n"), "KEEPTTL");
}

interface Damage {
  /** What an operator reads. */
  readonly reason: string;
  readonly harm: (redis: Redis, key: string) => Promise<unknown>;
}

const garbling = (reason: string, lines: Partial<OrderRecord>): Damage => ({
  reason,
  harm: (redis, key) => garble(redis, key, lines),
});

const NO_FORMAT = "its format is none that this server reads";
const LINES = "its lines are too few or too many";
const FIXED = "what it is for is missing or garbled";
const ATTEMPTS = "its attempts are missing or no number";
const QUEUE_NUMBER = "its place is missing or garbled";

/** Ways in which the record of an order can be damaged. */
export const DAMAGES: Readonly<Record<string, Damage>> = {
  "a list": {
    reason: "it is no string",
    harm: async (redis, key) => {
      await redis.del(key);
      await redis.rpush(key, '{"status":"queued"}');
    },
  },
  "an older layout": {
    reason: "it is no string",
    harm: async (redis, key) => {
      const { status, attempts, queue, queue_number, fixed: told } = parseRecord((await redis.get(key)) ?? "");
      await redis.del(key);
      await redis.hset(key, { told, status, attempts, queue, entry: `${queue_number}-0`, place: queue_number });
    },
  },
  JSON: { reason: NO_FORMAT, harm: (redis, key) => redis.set(key, '{"status":"queued"}') },
  "nothing in it": { reason: NO_FORMAT, harm: (redis, key) => redis.set(key, "") },
  "another format": garbling(NO_FORMAT, { format: "9" }),
  "a line too few": {
    reason: LINES,
    harm: async (redis, key) => {
      const lines = ((await redis.get(key)) ?? "").split("\n");
      await redis.set(key, lines.toSpliced(5, 1).join("\n"));
    },
  },
  "a line too many": garbling(LINES, { claim: "\n" }),
  "its end cut off": {
    reason: FIXED,
    harm: async (redis, key) => {
      const record = (await redis.get(key)) ?? "";
      await redis.set(key, record.slice(0, -10));
    },
  },
  "no status": garbling("it has no status", { status: "" }),
  "a status that is none": garbling("its status is unknown", { status: "roasting" }),
  "what it is for is no JSON": garbling(FIXED, { fixed: '"number":1,"item":"lat' }),
  "what it is for lacks its number": garbling(FIXED, {
    fixed: '"item":"latte","placed_at":"2025-01-01T00:00:00.000Z"',
  }),
  "no attempts": garbling(ATTEMPTS, { attempts: "" }),
  "attempts that are no number": garbling(ATTEMPTS, { attempts: "many" }),
  "leases that are no number": garbling(ATTEMPTS, { expiries: "0x1" }),
  "no queue": garbling("its queue is missing or garbled", { queue: "" }),
  "no queue number": garbling(QUEUE_NUMBER, { queue_number: "" }),
  "a queue number that is no number": garbling(QUEUE_NUMBER, { queue_number: "?" }),
  "a barista who is no JSON": garbling("its barista or started_at is garbled", { barista: "Grace" }),
  "a customer who is no JSON": garbling("its customer or error is garbled", { customer: '"ada' }),
  "an end that is no time": garbling("one of its times is garbled", { finished_at: 'today"' }),
};
