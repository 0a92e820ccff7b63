/**
 * Owns how tests harm a shop in Redis: its keys and its orders' records, and how they put them right.
 * Always holds: what was there is kept aside, so that it can be put back as it was.
 */
import type { Redis } from "ioredis";

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

/** Ways in which the record of an order can be damaged. */
export const DAMAGES: Readonly<Record<string, (redis: Redis, key: string) => Promise<unknown>>> = {
  "no hash": async (redis, key) => {
    await redis.del(key);
    await redis.set(key, '{"status":"queued"}');
  },
  "no status": (redis, key) => redis.hdel(key, "status"),
  "a status that is none": (redis, key) => redis.hset(key, "status", "roasting"),
  "an older layout": async (redis, key) => {
    await redis.hdel(key, "told");
    await redis.hset(key, { item: "latte", number: 7, placed_at: "2025-01-01T00:00:00.000Z" });
  },
  "what it is for is no JSON": (redis, key) => redis.hset(key, "told", '"number":1,"item":"lat'),
  "no attempts": (redis, key) => redis.hdel(key, "attempts"),
  "attempts that are no number": (redis, key) => redis.hset(key, "attempts", "many"),
  "no queue": (redis, key) => redis.hdel(key, "queue"),
  "no place": (redis, key) => redis.hdel(key, "place"),
  "no stream entry": (redis, key) => redis.hset(key, "entry", "?"),
};
