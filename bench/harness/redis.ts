/**
 * Owns the Redis of one run: a fresh one on loopback, with the shipped redis.conf, in a temporary folder.
 *
 * **Invariants**
 * - Closing it ends it and takes its folder away.
 */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { Redis } from "ioredis";
import { createLog } from "../../src/log.ts";
import { REDIS } from "../../src/redis/embedded/server.ts";
import { ensureProgram } from "../../src/redis/programs.ts";
import { Child, freePort, makeFolder, processorSeconds, removeFolder, until } from "./process.ts";

export type Fsync = "always" | "everysec";

const START_BOUND_SECONDS = 10;
const SCAN_COUNT = 5000;
const LOOK_MS = 100;
const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

/** What is known of all orders that were placed. */
interface Orders {
  readonly ids: ReadonlySet<string>;
  /** An order's own record is kept under this and its id. */
  readonly recordPrefix: string;
}

/** Keys that are left when orders are over. */
interface LeftKeys {
  /** Keys that name one of the orders, and are not its record. */
  readonly ofOrders: number;
  /** Keys that name none: indexes, the shop's own. */
  readonly others: number;
}

export class BenchRedis {
  readonly url: string;
  readonly client: Redis;
  readonly #child: Child;
  readonly #folder: string;
  readonly #file: AppendOnlyFile;

  private constructor(port: number, child: Child, folder: string) {
    this.url = `redis://127.0.0.1:${port}`;
    this.#child = child;
    this.#folder = folder;
    this.client = new Redis(this.url, { maxRetriesPerRequest: null, retryStrategy: () => 20, commandTimeout: 10_000 });
    this.client.on("error", () => {});
    this.#file = new AppendOnlyFile(folder);
  }

  static async start(fsync: Fsync): Promise<BenchRedis> {
    const log = createLog({ level: "info", terminal: false });
    const program = await ensureProgram(REDIS, { log });
    const folder = makeFolder();
    const port = freePort();
    const own = { port: String(port), bind: "127.0.0.1", dir: folder, appendfsync: fsync, maxclients: "19000" };
    const args = Object.entries(own).flatMap(([name, value]) => [`--${name}`, value]);
    const conf = join(import.meta.dir, "../../redis/redis.conf");
    const child = Child.spawn([program, conf, ...args], { stdio: ["ignore", "ignore", "inherit"] });
    const redis = new BenchRedis(port, child, folder);
    await until(async () => redis.client.status === "ready", "Redis answers", START_BOUND_SECONDS);
    return redis;
  }

  /** Bytes that it uses for data and connections (INFO, used_memory). */
  async usedBytes(): Promise<number> {
    return await this.#info("memory", "used_memory");
  }

  /** Connections other than the bench's own. */
  async countConnections(): Promise<number> {
    return (await this.#info("clients", "connected_clients")) - 1;
  }

  /** Commands run so far, those of scripts among them (INFO, commandstats), without the bench's own. */
  async countCommands(): Promise<number> {
    const stats = await this.client.info("commandstats");
    return [...stats.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)]
      .filter(([, name]) => name !== "info")
      .reduce((total, [, , calls]) => total + Number(calls), 0);
  }

  /** Bytes that it has appended to its file so far. */
  get appendedBytes(): number {
    return this.#file.appendedBytes;
  }

  /** Rewrites of the append-only file that have begun so far, and how many of them are under way. */
  async readRewrites(): Promise<{ begun: number; underWay: number }> {
    const [begun, underWay] = await Promise.all(
      ["aof_rewrites", "aof_rewrite_in_progress"].map((field) => this.#info("persistence", field)),
    );
    return { begun: begun ?? NaN, underWay: underWay ?? NaN };
  }

  async countLeftKeys(orders: Orders): Promise<LeftKeys> {
    // A key may come twice.
    const keys = new Set<string>();
    for await (const some of this.client.scanStream({ count: SCAN_COUNT })) {
      for (const key of some as readonly string[]) keys.add(key);
    }
    return sortKeys(keys, orders);
  }

  /** With its children: a rewrite of the file is one. */
  get processorSeconds(): number {
    return processorSeconds([this.#child.process.pid, ...this.#child.children]);
  }

  async close(): Promise<void> {
    this.#file.close();
    this.client.disconnect();
    await this.#child.end("SIGKILL");
    removeFolder(this.#folder);
  }

  async #info(section: string, field: string): Promise<number> {
    return Number(new RegExp(`^${field}:(\\d+)`, "m").exec(await this.client.info(section))?.[1]);
  }
}

/** Sorts keys by what they are. */
export function sortKeys(keys: Iterable<string>, { ids, recordPrefix }: Orders): LeftKeys {
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
    this.#folder = join(folder, "appendonlydir");
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
    for (const name of incrementalFiles(this.#folder)) {
      const { size } = statSync(join(this.#folder, name), { throwIfNoEntry: false }) ?? { size: 0 };
      this.#sizes.set(name, Math.max(size, this.#sizes.get(name) ?? 0));
    }
  }
}

function incrementalFiles(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => name.endsWith(".incr.aof"));
  } catch {
    return [];
  }
}
