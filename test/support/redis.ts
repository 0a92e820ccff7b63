/**
 * Owns the real Redis servers of the tests and the bench: throwaway ones on loopback, with the shipped redis.conf.
 *
 * **Invariants**
 * - A server that was started is gone when the process ends, and so is its folder.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { createLog } from "../../src/log.ts";
import { openRedis, type ShopRedis } from "../../src/redis/connections.ts";
import { installProgram } from "../../src/redis/install.ts";
import { REDIS } from "../../src/redis/embedded/server.ts";
import { until } from "./until.ts";

export const silent = createLog({ level: "silent", terminal: false });

/** Those that run. */
const running = new Set<TestRedis>();
process.once("exit", () => {
  for (const server of running) void server.stop();
});

export class TestRedis {
  readonly port: number;
  /** Its `dir`. */
  readonly folder = mkdtempSync(join(tmpdir(), "longpour-redis-"));
  readonly #args: readonly string[];
  #child: ChildProcess | undefined;

  private constructor(port: number, args: readonly string[]) {
    this.port = port;
    this.#args = args;
  }

  /** Starts a server on a free port; `args` come after the shipped configuration. */
  static async start(...args: string[]): Promise<TestRedis> {
    const server = new TestRedis(freePort(), args);
    await server.resume();
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** The process, to be stopped, continued or killed by a test. */
  get pid(): number {
    if (this.#child?.pid === undefined) throw new Error("this Redis does not run");
    return this.#child.pid;
  }

  /** Starts it (again), with the data it had; `args` come after those that it was started with first. */
  async resume(...args: string[]): Promise<void> {
    const program = await installProgram(REDIS, { log: silent });
    const conf = join(import.meta.dir, "../../redis/redis.conf");
    const own = ["--port", String(this.port), "--bind", "127.0.0.1", "--dir", this.folder, "--daemonize", "no"];
    running.add(this);
    this.#child = spawn(program, [conf, ...own, ...this.#args, ...args], { stdio: "ignore" });
    const probe = this.connect();
    await until(async () => (await probe.ping().catch(() => "")) === "PONG", `Redis on port ${this.port} answers`);
    probe.disconnect();
  }

  /** Ends it the hard way, as `kill -9` does. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (!child) return;
    const exited = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await exited;
    this.#child = undefined;
  }

  /** A plain client for tests to look with; the test disconnects it. */
  connect(): Redis {
    const redis = new Redis(this.url, { maxRetriesPerRequest: null, retryStrategy: () => 50 });
    redis.on("error", () => {});
    return redis;
  }

  async stop(): Promise<void> {
    running.delete(this);
    const killed = this.kill();
    // At once, for a process that ends waits for nothing; and again, for a Redis that ends may write.
    rmSync(this.folder, { recursive: true, force: true });
    await killed;
    rmSync(this.folder, { recursive: true, force: true });
  }
}

let shared: Promise<TestRedis> | undefined;

/** The server that test files share, each under a shop of its own. `test/support/preload.ts` stops it. */
export function sharedRedis(): Promise<TestRedis> {
  shared ??= TestRedis.start();
  return shared;
}

export async function stopSharedRedis(): Promise<void> {
  await (await shared)?.stop();
}

/** A shop of this test's own, opened as the server opens it. */
export async function openTestShop(server?: TestRedis): Promise<{ redis: ShopRedis; shop: string; prefix: string }> {
  const { url } = server ?? (await sharedRedis());
  const shop = `test-${crypto.randomUUID()}`;
  const redis = await openRedis({ address: { url }, shop, outageSeconds: 5, log: silent });
  return { redis, shop, prefix: redis.keys.prefix };
}

/**
 * Below the ports that systems give to connections and to listeners on port 0, so that none of those takes it
 * meanwhile.
 */
const PORTS = { first: 10_000, count: 20_000 };

/** A port that has no listener now, drawn at random: test files that run side by side draw from the same ones. */
export function freePort(): number {
  for (;;) {
    const port = PORTS.first + Math.floor(Math.random() * PORTS.count);
    try {
      Bun.listen({ hostname: "127.0.0.1", port, exclusive: true, socket: { data() {} } }).stop(true);
      return port;
    } catch (error) {
      if ((error as { code?: string }).code !== "EADDRINUSE") throw error;
    }
  }
}
