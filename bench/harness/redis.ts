/**
 * Owns what the bench reads of the Redis of one run, a fresh one with the shipped redis.conf.
 *
 * **Invariants**
 * - Closing it ends it and takes its folder away.
 */
import { statSync } from "node:fs";
import { join } from "node:path";
import { TestRedis } from "../../test/support/redis.ts";
import { childrenOf, processorSeconds } from "./process.ts";

export type Fsync = "always" | "everysec";

/** Redis's name for an fsync before an answer. No command is slow in it, so its slow log knows nothing of them. */
const FSYNC = "aof-fsync-always";
const SCAN_COUNT = 5000;
const LOOK_MS = 100;
const FILES = new Bun.Glob("appendonlydir/*.incr.aof");
const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

/** All orders that were placed, by id; an order's own record is kept under the prefix and its id. */
type Orders = { readonly ids: ReadonlySet<string>; readonly recordPrefix: string };

export class BenchRedis {
  readonly client: ReturnType<TestRedis["connect"]>;
  readonly #server: TestRedis;
  readonly #file: AppendOnlyFile;

  private constructor(server: TestRedis) {
    this.#server = server;
    this.client = server.connect();
    this.#file = new AppendOnlyFile(server.folder);
  }

  static async start(fsync: Fsync): Promise<BenchRedis> {
    const watched = ["--latency-monitor-threshold", "1"];
    return new BenchRedis(await TestRedis.start("--appendfsync", fsync, "--maxclients", "19000", ...watched));
  }

  get url(): string {
    return this.#server.url;
  }

  /** A number of INFO, such as used_memory. */
  async info(section: string, field: string): Promise<number> {
    return Number(new RegExp(`^${field}:(\\d+)`, "m").exec(await this.client.info(section))?.[1]);
  }

  /** Connections other than the bench's own. */
  async countConnections(): Promise<number> {
    return (await this.info("clients", "connected_clients")) - 1;
  }

  /** Commands run so far, those of scripts among them, without the bench's own. */
  async countCommands(): Promise<number> {
    const stats = await this.client.info("commandstats");
    return [...stats.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)]
      .filter(([, name]) => name !== "info")
      .reduce((total, [, , calls]) => total + Number(calls), 0);
  }

  async forgetFsyncs(): Promise<void> {
    await this.client.latency("RESET", FSYNC);
  }

  /** How long the longest fsync took since they were forgotten, ms: Redis serves no one then. 0: none took 1 ms. */
  async longestFsyncMs(): Promise<number> {
    const events = (await this.client.latency("LATEST")) as [name: string, at: number, lastMs: number, maxMs: number][];
    return events.find(([name]) => name === FSYNC)?.[3] ?? 0;
  }

  /** Bytes that it has appended to its file so far. */
  get appendedBytes(): number {
    return this.#file.appendedBytes;
  }

  /** How many keys orders that are over have left, by what they are. */
  async countLeftKeys(orders: Orders) {
    const parts = (await this.client.scanStream({ count: SCAN_COUNT }).toArray()) as string[][];
    // A key may come twice.
    return sortKeys(new Set(parts.flat()), orders);
  }

  /** With its children: a rewrite of the file is one. */
  get processorSeconds(): number {
    const { pid } = this.#server;
    return processorSeconds([pid, ...childrenOf(pid)]);
  }

  async close(): Promise<void> {
    this.#file.close();
    this.client.disconnect();
    await this.#server.stop();
  }
}

/** Keys that name one of the orders and are not its record; and keys that name none: indexes, the shop's own. */
export function sortKeys(keys: Iterable<string>, { ids, recordPrefix }: Orders): { ofOrders: number; others: number } {
  let ofOrders = 0;
  let others = 0;
  for (const key of keys) {
    const id = key.match(UUID)?.find((found) => ids.has(found));
    if (id === undefined) others += 1;
    else if (key !== recordPrefix + id) ofOrders += 1;
  }
  return { ofOrders, others };
}

/**
 * How many bytes a Redis has appended to its append-only file (multi-part, Redis 7.0 and newer).
 *
 * Each rewrite begins a new incremental file, and removes the old ones when it is over; so INFO's aof_current_size goes
 * down. What was appended is the sum of all incremental files that ever were, each at its greatest size. What a rewrite
 * writes is a base file, and not counted. It looks more often than a rewrite of a file worth rewriting takes.
 */
export class AppendOnlyFile {
  readonly #folder: string;
  readonly #sizes = new Map<string, number>();
  readonly #timer = setInterval(() => this.#look(), LOOK_MS).unref();

  /** Of a Redis whose `dir` is `folder`. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Bytes that were appended so far. */
  get appendedBytes(): number {
    this.#look();
    return [...this.#sizes.values()].reduce((sum, size) => sum + size, 0);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    for (const name of FILES.scanSync(this.#folder)) {
      const { size } = statSync(join(this.#folder, name), { throwIfNoEntry: false }) ?? { size: 0 };
      this.#sizes.set(name, Math.max(size, this.#sizes.get(name) ?? 0));
    }
  }
}
