/**
 * Owns a shop of one test's own on a real Redis: what the test opens in it, and a look from outside.
 *
 * **Invariants**
 * - What a test opened here is closed when the test ends, also when it fails.
 * - What was opened last is closed first.
 */
import type { Redis } from "ioredis";
import { openRedis, type ShopRedis } from "../../src/redis/connections.ts";
import { sharedRedis, silent, type TestRedis } from "./redis.ts";

type Opening = Partial<Pick<Parameters<typeof openRedis>[0], "outageSeconds" | "log">> & {
  /** Where Redis is found, such as through a relay. */
  readonly url?: string;
};

/** A connection as CLIENT LIST shows it. */
export interface RedisConnection {
  readonly id: string;
  readonly isBlocked: boolean;
}

export class Fixture implements AsyncDisposable {
  readonly shop: string;
  readonly server: TestRedis;
  /** A connection that is not the shop's. */
  readonly outside: Redis;
  readonly #opened: (() => void | Promise<void>)[] = [];

  /** On the shared Redis, unless the test harms it. */
  static async server(own?: TestRedis): Promise<TestRedis> {
    return own ?? (await sharedRedis());
  }

  protected constructor(server: TestRedis, shop = `test-${crypto.randomUUID()}`) {
    this.server = server;
    this.shop = shop;
    this.outside = server.connect();
  }

  /** Opens the shop as a server does. */
  async openRedis({ url = this.server.url, outageSeconds = 5, log = silent }: Opening = {}): Promise<ShopRedis> {
    const redis = await openRedis({ address: { url }, shop: this.shop, outageSeconds, log });
    this.opened(() => redis.close());
    return redis;
  }

  /** Says how to close what was just opened. */
  protected opened(close: () => void | Promise<void>): void {
    this.#opened.push(close);
  }

  /** This shop's connections, or those of one kind: lane, commands, wakes or events. */
  async connections(kind = ""): Promise<RedisConnection[]> {
    const list = String(await this.outside.client("LIST"));
    const wanted = ` name=longpour:${this.shop}:${kind}`;
    return list
      .split("\n")
      .filter((line) => line.includes(wanted))
      .map((line) => ({ id: /^id=(\d+)/.exec(line)?.[1] ?? "", isBlocked: / flags=\w*b/.test(line) }));
  }

  /** Ends the connections of one kind. */
  async kill(kind: string): Promise<void> {
    for (const { id } of await this.connections(kind)) await this.outside.call("CLIENT", "KILL", "ID", id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const close of this.#opened.toReversed()) await close();
    this.outside.disconnect();
  }
}
