/**
 * Owns the connections to Redis of one server: one for commands, one that listens for wakes, and the lanes' blocking ones.
 * Always holds: every command ends within a bound; an outage is logged once when it begins and once, with its length, when it ends.
 */
import { Redis, type RedisOptions } from "ioredis";
import { StartError } from "../lifecycle.ts";
import type { Log } from "../log.ts";
import { Patience } from "./patience.ts";
import { keysOf, type Keys } from "./keys.ts";
import { scriptRunner, type RunScript } from "./script.ts";

/** Where Redis is: a URL, or the Unix socket of the embedded one. */
export type RedisAddress = { readonly url: string } | { readonly socketPath: string };

export interface ShopRedis {
  readonly keys: Keys;
  /** Runs a script, waiting for a Redis that is away. Rejects with RedisAwayError when that takes too long. */
  readonly run: RunScript;
  /** Runs a task once Redis answers (again). It is dropped when the server stops, or when too many wait already. */
  later(task: () => Promise<unknown>): void;
  /** A connection of its own for blocking reads of at most `longestBlockSeconds`. The caller closes it. */
  openBlocking(name: string, longestBlockSeconds: number): Redis;
  /** Ends blocked reads of another connection of ours; false when it was not blocked (yet). */
  unblock(clientId: number): Promise<boolean>;
  /** Calls `heard` for every message on the channel, and with null whenever some may have been missed until now. */
  listen(channel: string, heard: (message: string | null) => void): void;
  /** Whether Redis answers within a second. */
  isReady(): Promise<boolean>;
  close(): void;
}

export interface RedisSettings {
  readonly address: RedisAddress;
  readonly shop: string;
  /** How long a command waits for a Redis that is away. */
  readonly outageSeconds: number;
  readonly log: Log;
}

/** Opens the shop on its Redis. Throws a StartError when Redis can't be reached, asks for a password, is too old or evicts. */
export async function openRedis({ address, shop, outageSeconds, log }: RedisSettings): Promise<ShopRedis> {
  const keys = keysOf(shop);
  const commands = connect(address, {
    connectionName: `longpour:${shop}:commands`,
    commandTimeout: outageSeconds * 1000,
    // A connection that is open and silent is given up as well.
    socketTimeout: outageSeconds * 1000,
  });
  try {
    await firstReady(commands, outageSeconds);
    checkServer(await commands.info());
  } catch (error) {
    commands.disconnect();
    throw error;
  }
  const stopLogging = logOutages(commands, log);
  const listener = connect(address, { connectionName: `longpour:${shop}:wakes`, autoResubscribe: false });
  const patience = new Patience(commands, outageSeconds * 1000);
  const runOnce = scriptRunner(commands, keys.prefix);

  return {
    keys,
    run: (script, args) => patience.run(() => runOnce(script, args)),
    later: (task) => patience.later(task),
    openBlocking: (name, longestBlockSeconds) =>
      connect(address, {
        connectionName: `longpour:${shop}:${name}`,
        blockingTimeout: (longestBlockSeconds + 5) * 1000,
        // Redis counts its bound from when the block reaches it: a block given up before would pop bells for nobody.
        blockingTimeoutGrace: 5000,
        socketTimeout: (longestBlockSeconds + 5) * 1000,
      }),
    unblock: async (clientId) => (await commands.client("UNBLOCK", clientId)) === 1,
    listen: (channel, heard) => {
      listener.on("message", (_channel: string, message: string) => heard(message));
      const subscribe = async (): Promise<void> => {
        try {
          await listener.subscribe(channel);
          heard(null);
        } catch {
          // The connection is lost again: the next one subscribes.
        }
      };
      listener.on("ready", () => void subscribe());
      if (listener.status === "ready") void subscribe();
    },
    isReady: async () => {
      const late = Promise.withResolvers<boolean>();
      const timer = setTimeout(() => late.resolve(false), 1000);
      const answered = commands.ping().then(
        () => true,
        () => false,
      );
      return await Promise.race([answered, late.promise]).finally(() => clearTimeout(timer));
    },
    close: () => {
      stopLogging();
      patience.close();
      listener.disconnect();
      commands.disconnect();
    },
  };
}

function connect(address: RedisAddress, own: RedisOptions): Redis {
  const options: RedisOptions = {
    // What a lost connection swallowed rejects at once. Whoever sent it knows whether, and how long, to try again.
    maxRetriesPerRequest: 0,
    retryStrategy: (attempt) => Math.min(25 * 2 ** Math.min(attempt, 5), 500),
    connectTimeout: 5000,
    ...own,
  };
  const redis =
    "url" in address ? new Redis(address.url, options) : new Redis({ ...options, path: address.socketPath });
  // Told by logOutages, once for all connections.
  redis.on("error", () => {});
  return redis;
}

/** Waits for the first connection: Redis may be starting too. What no wait can mend throws at once. */
async function firstReady(redis: Redis, seconds: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let last = "no answer";
  const onError = (error: Error): void => {
    last = error.message;
    if (/NOAUTH|WRONGPASS|NOPERM|ERR AUTH/.test(last)) {
      reject(
        new StartError(
          `Redis refused the login (${last}). Put the user and password into REDIS_URL: redis://user:password@host:port`,
        ),
      );
    }
  };
  const timer = setTimeout(
    () => reject(new StartError(`Redis can't be reached (${last}). Check REDIS_URL`)),
    seconds * 1000,
  );
  redis.on("error", onError).once("ready", resolve);
  await promise.finally(() => {
    clearTimeout(timer);
    redis.off("error", onError).off("ready", resolve);
  });
}

/** Throws a StartError for a Redis that could lose orders or lacks what the scripts need. `info` is INFO's reply. */
export function checkServer(info: string): void {
  const field = (name: string): string => new RegExp(`^${name}:(.*?)\\r?$`, "m").exec(info)?.[1] ?? "";
  const version = field("redis_version");
  if (Number.parseInt(version, 10) < 7) {
    throw new StartError(`Redis ${version} is too old: use Redis 7.0 or newer, or Valkey 8`);
  }
  const policy = field("maxmemory_policy");
  if (policy !== "noeviction") {
    throw new StartError(
      `Redis may evict orders (maxmemory-policy ${policy}): set it to noeviction, as in redis/redis.conf`,
    );
  }
}

/** Returns how to stop: a connection closed on purpose is no outage. */
function logOutages(redis: Redis, log: Log): () => void {
  let since: number | undefined;
  const onClose = (): void => {
    if (since !== undefined) return;
    since = performance.now();
    log.warn("Redis is away: customers keep waiting");
  };
  const onReady = (): void => {
    if (since === undefined) return;
    log.info({ outage_seconds: Math.round(performance.now() - since) / 1000 }, "Redis is back");
    since = undefined;
  };
  redis.on("close", onClose).on("ready", onReady);
  return () => redis.off("close", onClose).off("ready", onReady);
}
