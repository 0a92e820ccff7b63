/**
 * Owns what the tests of durable readers share: a shop's stream on a real Redis, and readers on it that note what they
 * take.
 *
 * **Invariants**
 * - A reader that a test opened here is closed before its connections.
 */
import pino from "pino";
import { DurableReader, type DurableReaderOptions } from "../../src/events/durable-reader.ts";
import { numberOf, type Change } from "../../src/events/event.ts";
import type { ShopRedis } from "../../src/redis/connections.ts";
import { Fixture } from "../support/fixture.ts";
import type { TestRedis } from "../support/redis.ts";
import { RedisRelay } from "../support/relay.ts";
import { until } from "../support/until.ts";
import { FeedFixture } from "./feeds.ts";

export const LEASE_MS = 600;

export interface TestReader {
  readonly reader: DurableReader;
  /** What its handler took, entry by entry. */
  readonly entries: readonly (readonly string[])[];
  readonly lost: readonly number[];
  readonly redis: ShopRedis;
}

type Reading = Partial<DurableReaderOptions> & { readonly url?: string };

export class ReaderFixture extends FeedFixture {
  readonly group = "payments";
  readonly said: string[] = [];
  readonly #log = pino({}, { write: (line: string) => void this.said.push((JSON.parse(line) as { msg: string }).msg) });

  static override async open(server?: TestRedis): Promise<ReaderFixture> {
    return new ReaderFixture(await Fixture.server(server));
  }

  /** Opens one more replica's reader; `handle` is asked after its events are noted. */
  async read({ url, handle, ...own }: Reading = {}): Promise<TestReader> {
    const redis = await this.openRedis({ log: this.#log, ...(url !== undefined && { url }) });
    const [entries, lost]: [string[][], number[]] = [[], []];
    const noteAndHandle = async (events: readonly Change[]): Promise<void> => {
      entries.push(events.map(({ id }) => id));
      await handle?.(events);
    };
    const reading = { redis, name: this.group, log: this.#log, leaseMs: LEASE_MS, ...own };
    const noteLost = (count: number): void => void lost.push(count);
    const reader = new DurableReader({ ...reading, handle: noteAndHandle, lost: noteLost });
    this.opened(() => reader.close());
    return { reader, entries, lost, redis };
  }

  /** A way to Redis that is closed after those who go it. */
  relay(): RedisRelay {
    const relay = new RedisRelay(this.server.port);
    this.opened(() => relay[Symbol.dispose]());
    return relay;
  }

  /** The same, once its group is there. */
  async readFromNow(options?: Reading): Promise<TestReader> {
    const reading = await this.read(options);
    await until(async () => (await this.groups()).includes(options?.name ?? this.group), "the group is made");
    return reading;
  }

  async groups(): Promise<string[]> {
    const groups = await this.outside.xinfo("GROUPS", this.key).catch(() => []);
    return (groups as string[][]).map(([, name = ""]) => name);
  }

  /** How many consumers its group has. */
  async countConsumers(): Promise<number> {
    return ((await this.outside.xinfo("CONSUMERS", this.key, this.group)) as unknown[]).length;
  }

  async isSettled(): Promise<boolean> {
    const [[pending], [newest]] = await Promise.all([
      this.outside.xpending(this.key, this.group) as Promise<[number]>,
      this.outside.xrevrange(this.key, "+", "-", "COUNT", 1),
    ]);
    return pending === 0 && (await this.outside.hget(`{${this.shop}}:readers`, this.group)) === newest?.[0];
  }

  readonly leaseKey = `{${this.shop}}:reader:${this.group}`;

  lease(): Promise<string | null> {
    return this.outside.get(this.leaseKey);
  }
}

/** Each id once, in the order in which they were handled first. */
export const firstsOf = (...readers: readonly TestReader[]): string[] => [
  ...new Set(readers.flatMap(({ entries }) => entries.flat())),
];
export const untilHandled = (reading: TestReader, count: number) =>
  until(() => firstsOf(reading).length >= count, `${count} events are handled`);
export const drafts = (count: number) => Array.from({ length: count }, () => ({}));

export function byNumber(one: string, other: string): number {
  return numberOf(one) - numberOf(other);
}
