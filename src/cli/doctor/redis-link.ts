/**
 * Owns the doctor's connection to Redis, and what it means when there is none.
 *
 * **Invariants**
 * - Each question ends within a bound; the connection is not opened again by itself.
 * - No password stands in what is said of it.
 */
import { Redis } from "ioredis";
import type { RedisServer } from "../../redis-url.ts";
import { within } from "../../within.ts";
import { said } from "./finding.ts";

/** As long as the server waits before it calls Redis unavailable. */
export const SILENCE_MS = 3000;

export type Opened =
  | { readonly kind: "open"; readonly link: RedisLink }
  /** It takes the connection, and says nothing. */
  | { readonly kind: "silent" }
  | { readonly kind: "unreachable" | "denied" | "unable"; readonly said: string };

export class RedisLink {
  readonly redis: Redis;
  readonly info: ReadonlyMap<string, string>;
  /** Of the first PING. */
  readonly pingMs: number;

  private constructor(redis: Redis, info: string, pingMs: number) {
    this.redis = redis;
    this.info = new Map(
      info.split("\r\n").flatMap((line) => {
        const at = line.indexOf(":");
        return at < 0 || line.startsWith("#") ? [] : [[line.slice(0, at), line.slice(at + 1)] as const];
      }),
    );
    this.pingMs = pingMs;
  }

  static async open({ host, port, family, isTls, username, password, database }: RedisServer): Promise<Opened> {
    const redis = new Redis({
      host,
      port,
      family,
      db: database,
      ...(username === undefined ? undefined : { username }),
      ...(password === undefined ? undefined : { password }),
      ...(isTls ? { tls: {} } : undefined),
      connectionName: "longpour:doctor",
      lazyConnect: true,
      enableReadyCheck: false,
      maxRetriesPerRequest: 0,
      retryStrategy: null,
      connectTimeout: SILENCE_MS,
      commandTimeout: SILENCE_MS,
    });
    let met = "";
    redis.on("error", (error) => (met = said(error)));
    let hasConnected = false;
    redis.once("connect", () => (hasConnected = true));
    try {
      // Its login may hang as well.
      const link = await within(2 * SILENCE_MS, RedisLink.#greet(redis));
      if (link) return { kind: "open", link };
      redis.disconnect();
      return hasConnected ? { kind: "silent" } : { kind: "unreachable", said: "no connection in time" };
    } catch (error) {
      redis.disconnect();
      return failure(met || said(error), hasConnected);
    }
  }

  static async #greet(redis: Redis): Promise<RedisLink> {
    await redis.connect();
    const begunMs = performance.now();
    await redis.ping();
    const pingMs = performance.now() - begunMs;
    return new RedisLink(redis, await redis.info(), pingMs);
  }

  /** A field of INFO; empty where there is none. */
  field(name: string): string {
    return this.info.get(name) ?? "";
  }

  number(name: string): number {
    return Number(this.info.get(name) ?? NaN);
  }

  /** A setting; undefined where this user may not read it. */
  async setting(name: string): Promise<string | undefined> {
    const answer = await this.redis.config("GET", name).catch(() => []);
    return Array.isArray(answer) && typeof answer[1] === "string" ? answer[1] : undefined;
  }

  close(): void {
    this.redis.disconnect();
  }
}

function failure(text: string, hasConnected: boolean): Opened {
  if (/timed out/i.test(text) && hasConnected) return { kind: "silent" };
  if (/^(NOAUTH|WRONGPASS|NOPERM|ERR AUTH)/.test(text)) return { kind: "denied", said: text };
  return { kind: /^[A-Z]+ /.test(text) && hasConnected ? "unable" : "unreachable", said: text };
}
