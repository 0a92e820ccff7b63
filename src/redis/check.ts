/**
 * Owns the questions to a Redis before the server uses it: whether it is one that can serve a shop.
 *
 * **Invariants**
 * - Each that can't is refused with one line that says why and what to do; no secret stands in it.
 * - It is looked for within a bound, and nothing stays connected.
 */
import type { Redis } from "ioredis";
import { StartError } from "../lifecycle.ts";
import { withoutWords } from "../log.ts";
import { readRedisUrl } from "../redis-url.ts";
import { connect, type RedisAddress } from "./connect.ts";
import { faultOf, isCertificateFault, isMissingDatabase } from "./errors.ts";
import type { Keys } from "./keys.ts";
import { asList, asText } from "./reply.ts";
import { loadScript } from "./script.ts";
import { within } from "../within.ts";

/** The setting is wrong: see main.ts. */
const WRONG_SETTING = 2;
const RETRY_MS = 100;
/** Most denied commands that are named. */
const MAX_NAMED = 5;

export interface CheckOptions {
  readonly address: RedisAddress;
  readonly keys: Keys;
  /** How long a Redis is waited for that may be starting too. */
  readonly seconds: number;
}

/** Throws a StartError when that Redis can't be reached, denies something, or could lose orders. */
export async function checkRedis({ address, keys, seconds }: CheckOptions): Promise<void> {
  const deadline = performance.now() + seconds * 1000;
  const shop = shopIn(address, keys);
  const redis = connect(address, {
    connectionName: "longpour:check",
    // Asked for below: ioredis would go on with the first one where there is none.
    db: 0,
    enableReadyCheck: false,
    commandTimeout: seconds * 1000,
  });
  const login = new Login(redis, shop.user);
  try {
    for (;;) {
      await login.ready(deadline);
      try {
        checkServer(await redis.info());
        if (shop.database > 0) await redis.select(shop.database);
        return checkAccess(await findDenied(redis, keys), shop);
      } catch (error) {
        login.note(metOrThrow(error, shop));
        await Bun.sleep(RETRY_MS);
      }
    }
  } finally {
    redis.disconnect();
  }
}

/** The way in: a connection that is being opened, and what it met last. */
class Login {
  readonly #redis: Redis;
  readonly #refused = Promise.withResolvers<never>();
  #met = "no answer";

  constructor(redis: Redis, user: string) {
    this.#redis = redis;
    // It may be refused while nothing waits for it.
    this.#refused.promise.catch(() => {});
    redis.on("error", (error) => {
      this.note(error.message);
      const refusal = loginRefusal(error, user);
      if (refusal) this.#refused.reject(refusal);
    });
  }

  note(met: string): void {
    this.#met = met;
  }

  /** Resolves once there is a connection; throws a StartError when the time is over, or no wait can mend it. */
  async ready(deadline: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<true>();
    const noteReady = (): void => resolve(true);
    const leftMs = deadline - performance.now();
    this.#redis.once("ready", noteReady);
    if (leftMs > 0 && this.#redis.status === "ready") noteReady();
    const isReady = await within(Math.max(0, leftMs), Promise.race([promise, this.#refused.promise])).finally(() =>
      this.#redis.off("ready", noteReady),
    );
    if (!isReady) throw new StartError(`Redis can't be reached (${this.#met}). Check REDIS_URL`);
  }
}

/** Undefined where the next attempt may succeed. */
function loginRefusal(error: Error, user: string): StartError | undefined {
  if (isCertificateFault(error)) {
    return new StartError(
      `Redis shows a certificate that is not trusted (${error.message}): name the file of its authority in NODE_EXTRA_CA_CERTS`,
    );
  }
  if (faultOf(error).kind !== "denied") return undefined;
  return new StartError(
    `Redis refused the login of its user ${user} (${error.message}). Put the user and password into REDIS_URL: redis://user:password@host:port`,
  );
}

/** The error of a server that may serve later, in its words; throws a StartError for one that never will. */
function metOrThrow(error: unknown, { user, database, keys }: Shop): string {
  if (error instanceof StartError || !(error instanceof Error)) throw error;
  if (isMissingDatabase(error)) {
    throw new StartError(
      `REDIS_URL names database ${database}, which this Redis does not have: write a lower number, or raise \`databases\` in its redis.conf`,
      WRONG_SETTING,
    );
  }
  const fault = faultOf(error);
  if (fault.kind === "denied") throw deniedError(fault.said, user, keys);
  if (fault.kind === "other" || fault.kind === "unknown_script" || fault.kind === "known_library") {
    throw new StartError(`Redis can't be used (${withoutWords(error.message)}). Check REDIS_URL`);
  }
  return error.message;
}

interface Shop {
  readonly user: string;
  readonly database: number;
  readonly keys: Keys;
}

function shopIn(address: RedisAddress, keys: Keys): Shop {
  const read = "url" in address ? readRedisUrl(address.url) : undefined;
  const { username = "default", database = 0 } = read?.kind === "server" ? read.server : {};
  return { user: username, database, keys };
}

/** Throws a StartError for a server that could lose orders or lacks what the scripts need. `info` is INFO's reply. */
export function checkServer(info: string): void {
  const field = (name: string): string => new RegExp(`^${name}:(.*?)\\r?$`, "m").exec(info)?.[1] ?? "";
  const version = field("redis_version");
  if (Number.parseInt(version, 10) < 7) {
    throw new StartError(`Redis ${version} is too old: use Redis 7.0 or newer, or Valkey 8`);
  }
  const mode = field("redis_mode");
  if (mode === "sentinel") {
    throw new StartError("REDIS_URL names a Sentinel: name the host and port of its master instead", WRONG_SETTING);
  }
  if (mode === "cluster") {
    throw new StartError(
      "REDIS_URL names a node of a Redis Cluster: name a server without cluster mode",
      WRONG_SETTING,
    );
  }
  if (field("role") === "slave") {
    throw new StartError(
      `the Redis of REDIS_URL is a replica, which takes no writes: name its master, ${field("master_host")}:${field("master_port")}, or promote it`,
    );
  }
  const policy = field("maxmemory_policy");
  if (policy !== "noeviction") {
    throw new StartError(
      `Redis may evict orders (maxmemory-policy ${policy}): set it to noeviction, as in redis/redis.conf`,
    );
  }
}

/** The commands that the connection's user may not use on the shop. */
export async function findDenied(redis: Redis, { prefix }: Keys): Promise<readonly string[]> {
  return asList(await redis.eval(loadScript("check-access").source, 1, prefix)).map(asText);
}

function checkAccess(denied: readonly string[], { user, keys }: Shop): void {
  const more = denied.length > MAX_NAMED ? " …" : "";
  if (denied.length > 0) throw deniedError(denied.slice(0, MAX_NAMED).join(", ") + more, user, keys);
}

function deniedError(what: string, user: string, { prefix }: Keys): StartError {
  return new StartError(
    `Redis denies its user ${user} what the server needs (${what}). Run ACL SETUSER ${user} ${rightsOn(prefix)}`,
  );
}

/** All that the server needs on its shop, and little more. */
function rightsOn(prefix: string): string {
  return `~${prefix}* &${prefix}* +@all -@admin -@dangerous +info +client|unblock`;
}
