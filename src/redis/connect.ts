/**
 * Owns how a connection to Redis is opened.
 *
 * **Invariants**
 * - A lost connection is opened again, for ever, at most twice a second.
 * - A connection whose server takes no more writes is opened anew: another server may have taken over its name.
 * - No connection works on another database than the one that was named.
 */
import { Redis, type RedisOptions } from "ioredis";
import { StartError } from "../lifecycle.ts";
import { readRedisUrl } from "../redis-url.ts";
import { maxPauseMs, type BackOff } from "../back-off.ts";
import { isDemoted, isMissingDatabase } from "./errors.ts";

const BACK_OFF: BackOff = { firstMs: 50, maxMs: 500 };

/** Where Redis is: a URL, or the Unix socket of the embedded one. */
export type RedisAddress = { readonly url: string } | { readonly socketPath: string };

/** Throws a StartError when the URL can't be read. */
export function connect(address: RedisAddress, own: RedisOptions): Redis {
  const redis = new Redis({
    // Commands that are lost with a connection reject at once. Their caller knows whether, and how long, to try again.
    maxRetriesPerRequest: 0,
    retryStrategy: (attempt) => maxPauseMs(attempt, BACK_OFF),
    reconnectOnError: isDemoted,
    connectTimeout: 5000,
    ...optionsOf(address),
    ...own,
  });
  redis.on("error", (error) => {
    // ioredis would go on with the first database, where the orders of others may be.
    if (isMissingDatabase(error)) redis.disconnect(true);
    // Any other is an outage, which is logged once for all connections.
  });
  return redis;
}

function optionsOf(address: RedisAddress): RedisOptions {
  if ("socketPath" in address) return { path: address.socketPath };
  const read = readRedisUrl(address.url);
  if (read.kind === "fault") throw new StartError(`REDIS_URL ${read.fault}`, 2);
  const { database, isTls, ...server } = read.server;
  return { ...server, db: database, ...(isTls ? { tls: {} } : undefined) };
}
