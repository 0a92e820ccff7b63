/**
 * Owns the Redis of one run: a fresh one on loopback, with the shipped redis.conf, in a temporary folder.
 *
 * **Invariants**
 * - Closing it ends it and takes its folder away.
 */
import { join } from "node:path";
import { Redis } from "ioredis";
import { createLog } from "../../src/log.ts";
import { REDIS } from "../../src/redis/embedded/server.ts";
import { ensureProgram } from "../../src/redis/programs.ts";
import { AppendOnlyFile } from "./append-only.ts";
import { endChild, watchChild } from "./children.ts";
import { makeFolder, removeFolder } from "./folder.ts";
import { childrenOf, processorSeconds } from "./process.ts";

export type Fsync = "always" | "everysec";

const START_BOUND_MS = 10_000;
const SCAN_COUNT = 5000;

export class BenchRedis {
  readonly url: string;
  readonly #child: Bun.Subprocess;
  readonly #folder: string;
  readonly #client: Redis;
  readonly #file: AppendOnlyFile;

  private constructor(port: number, child: Bun.Subprocess, folder: string) {
    this.url = `redis://127.0.0.1:${port}`;
    this.#child = child;
    this.#folder = folder;
    this.#client = new Redis(this.url, { maxRetriesPerRequest: null, retryStrategy: () => 20, commandTimeout: 10_000 });
    this.#client.on("error", () => {});
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
    const child = watchChild(Bun.spawn([program, conf, ...args], { stdio: ["ignore", "ignore", "inherit"] }));
    const redis = new BenchRedis(port, child, folder);
    await redis.#untilReady();
    return redis;
  }

  /** Bytes that it uses for data and connections (INFO, used_memory). */
  async usedBytes(): Promise<number> {
    return Number(/^used_memory:(\d+)/m.exec(await this.#client.info("memory"))?.[1]);
  }

  /** Connections other than the bench's own. */
  async countConnections(): Promise<number> {
    return Number(/^connected_clients:(\d+)/m.exec(await this.#client.info("clients"))?.[1]) - 1;
  }

  /** Commands run so far, those of scripts among them (INFO, commandstats), without the bench's own. */
  async countCommands(): Promise<number> {
    const stats = await this.#client.info("commandstats");
    return [...stats.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)]
      .filter(([, name]) => name !== "info")
      .reduce((total, [, , calls]) => total + Number(calls), 0);
  }

  /** Bytes that it has appended to its file so far. */
  get appendedBytes(): number {
    return this.#file.appendedBytes;
  }

  /**
   * Rewrites of the append-only file that have begun so far, and whether one is under way (INFO, persistence and
   * stats).
   */
  async readRewrites(): Promise<{ begun: number; isUnderWay: boolean }> {
    const told = await this.#client.info("persistence");
    return {
      begun: Number(/^aof_rewrites:(\d+)/m.exec(told)?.[1]),
      isUnderWay: /^aof_rewrite_in_progress:1/m.test(told),
    };
  }

  /** Calls `see` with all keys, in parts. A key may come twice. */
  async scanKeys(see: (keys: readonly string[]) => void): Promise<void> {
    let cursor = "0";
    do {
      const [next, keys] = await this.#client.scan(cursor, "COUNT", SCAN_COUNT);
      see(keys);
      cursor = next;
    } while (cursor !== "0");
  }

  /** Runs one command. */
  async ask(command: string, ...args: readonly string[]): Promise<unknown> {
    return await this.#client.call(command, ...args);
  }

  /** With its children: a rewrite of the file is one. */
  get processorSeconds(): number {
    return processorSeconds([this.#child.pid, ...childrenOf(this.#child.pid)]);
  }

  async close(): Promise<void> {
    this.#file.close();
    this.#client.disconnect();
    await endChild(this.#child, "SIGKILL");
    removeFolder(this.#folder);
  }

  async #untilReady(): Promise<void> {
    const ended = this.#child.exited.then((exitCode) => {
      throw new Error(`Redis did not start (exit code ${exitCode})`);
    });
    const late = Bun.sleep(START_BOUND_MS).then(() => {
      throw new Error("Redis did not answer in time");
    });
    ended.catch(() => {});
    late.catch(() => {});
    await Promise.race([this.#client.ping(), ended, late]);
  }
}

export function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = listener;
  listener.stop(true);
  return port;
}
