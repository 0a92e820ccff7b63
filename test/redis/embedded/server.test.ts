/**
 * The embedded Redis, with a real redis-server: what it keeps, whom it refuses, what it cleans up.
 *
 * **Invariants**
 * - Each test has a folder of its own, and no Redis outlives its test.
 */
import { afterEach, expect, setDefaultTimeout, test } from "bun:test";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { Redis } from "ioredis";
import pino from "pino";
import { StartError } from "../../../src/lifecycle.ts";
import { type EmbeddedRedis, startEmbeddedRedis } from "../../../src/redis/embedded/server.ts";
import { lockFolder } from "../../../src/redis/embedded/lock.ts";
import { silent } from "../../support/redis.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(30_000);

/** For what Redis takes a while to do; below the tests' own bound. */
const WAIT_MS = 25_000;
const SOURCE = resolve(import.meta.dir, "../../../src/redis/embedded/server.ts");

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (let cleanup = cleanups.pop(); cleanup; cleanup = cleanups.pop()) await cleanup();
});

test("orders survive a stop and a start", async () => {
  const dataDir = newFolder();
  const first = await start(dataDir);
  await call(first, "SET", "order", "americano");
  await first.stop();
  const second = await start(dataDir);
  expect(await call(second, "GET", "order")).toBe("americano");
});

test("the folder and the socket are their owner's only", async () => {
  const dataDir = join(newFolder(), "deep", "data");
  const { socketPath } = await start(dataDir);
  expect(statSync(dataDir).mode & 0o777).toBe(0o700);
  expect(statSync(socketPath).mode & 0o777).toBe(0o700);
});

test("Redis runs with the project's settings", async () => {
  const redis = await start(newFolder());
  expect(await call(redis, "CONFIG", "GET", "appendfsync")).toEqual(["appendfsync", "always"]);
  expect(await call(redis, "CONFIG", "GET", "maxmemory-policy")).toEqual(["maxmemory-policy", "noeviction"]);
  expect(await call(redis, "CONFIG", "GET", "port")).toEqual(["port", "0"]);
});

test("a folder's name may hold spaces, quotes and letters of any language", async () => {
  const dataDir = join(newFolder(), `mein "Café" №1`);
  const first = await start(dataDir);
  await call(first, "SET", "order", "americano");
  await first.stop();
  const second = await start(dataDir);
  expect(await call(second, "GET", "order")).toBe("americano");
});

test("a second server on the same folder is refused, and learns which one holds it", async () => {
  const dataDir = newFolder();
  const holder = await startInChild(dataDir);
  const refusal = await refusalOf(startEmbeddedRedis({ dataDir, log: silent }));
  expect(refusal).toContain(`process ${holder.process.pid}`);
  expect(refusal).toContain(dataDir);
  expect(refusal).toContain("REDIS_URL");
  expect(refusal).toContain("DATA_DIR");
  expect(await ping(holder.socketPath)).toBe("PONG");
});

test("two starts in one process do not share a folder either", async () => {
  const dataDir = newFolder();
  await start(dataDir);
  expect(await refusalOf(startEmbeddedRedis({ dataDir, log: silent }))).toContain(`process ${process.pid}`);
});

test("the Redis of a killed server is stopped, and its orders are there after the start", async () => {
  const dataDir = newFolder();
  const killed = await startInChild(dataDir);
  await call(killed, "SET", "order", "americano");
  const orphan = await processOf(killed);
  await kill9(killed.process);
  expect(isAlive(orphan)).toBe(true);

  const lines: string[] = [];
  const redis = await start(dataDir, { log: into(lines) });
  expect(isAlive(orphan)).toBe(false);
  expect(await call(redis, "GET", "order")).toBe("americano");
  expect(lines.join("")).toContain(`"pid":${orphan}`);
});

test("an orphan without its socket's file is found all the same", async () => {
  const dataDir = newFolder();
  const killed = await startInChild(dataDir);
  await call(killed, "SET", "order", "americano");
  const orphan = await processOf(killed);
  await kill9(killed.process);
  rmSync(killed.socketPath);

  const redis = await start(dataDir);
  expect(isAlive(orphan)).toBe(false);
  expect(await call(redis, "GET", "order")).toBe("americano");
});

test("an orphan without its record is found by its socket", async () => {
  const dataDir = newFolder();
  const killed = await startInChild(dataDir);
  const orphan = await processOf(killed);
  await kill9(killed.process);
  rmSync(join(dataDir, "redis.pid"));

  await start(dataDir);
  expect(isAlive(orphan)).toBe(false);
});

test("a record that names another's process harms no process", async () => {
  const dataDir = newFolder();
  const bystander = spawn("sleep", ["60"]);
  cleanups.push(() => kill9(bystander));
  mkdirSync(dataDir, { recursive: true });
  writeFileSync(join(dataDir, "redis.pid"), `${bystander.pid} ${join(dataDir, "redis.sock")}\n`);

  await start(dataDir);
  expect(bystander.exitCode ?? bystander.signalCode).toBeNull();
});

for (const record of ["with", "without"]) {
  test(`an orphan that hangs, ${record} its record, is reported instead of waited for`, async () => {
    const dataDir = newFolder();
    const killed = await startInChild(dataDir);
    const orphan = await processOf(killed);
    await kill9(killed.process);
    if (record === "without") rmSync(join(dataDir, "redis.pid"));
    process.kill(orphan, "SIGSTOP");
    try {
      const refusal = await refusalOf(startEmbeddedRedis({ dataDir, log: silent, stopTimeoutMs: 300 }));
      expect(refusal).toContain(record === "with" ? `kill -9 ${orphan}` : killed.socketPath);
      // The refused start keeps no lock.
      lockFolder(dataDir).release();
    } finally {
      process.kill(orphan, "SIGCONT");
    }
    await start(dataDir);
    expect(isAlive(orphan)).toBe(false);
  });
}

test("a Redis that is killed is started again with all its orders", async () => {
  const lines: string[] = [];
  const redis = await start(newFolder(), { log: into(lines) });
  await call(redis, "SET", "order", "americano");
  const killed = await processOf(redis);
  process.kill(killed, "SIGKILL");

  await until(() => lines.some((line) => line.includes("runs again")), "it runs again", WAIT_MS);
  expect(await call(redis, "GET", "order")).toBe("americano");
  expect(await processOf(redis)).not.toBe(killed);
  expect(lines.filter((line) => line.includes("died"))).toHaveLength(1);
});

test("a Redis that dies again and again is tried with pauses, and logged as an error once", async () => {
  const dataDir = newFolder();
  const lines: string[] = [];
  const redis = await start(dataDir, { log: into(lines) });
  const killed = await processOf(redis);
  // A folder where its append-only files should be written: no Redis can start on that.
  const manifest = join(dataDir, "appendonlydir", "appendonly.aof.manifest");
  rmSync(manifest);
  mkdirSync(manifest);
  process.kill(killed, "SIGKILL");

  await until(() => lines.some((line) => line.includes("in a row")), "it dies in a row", WAIT_MS);
  expect(startsIn(dataDir)).toBe(4); // the first death was the kill
  expect(lines.filter((line) => line.includes("died and"))).toHaveLength(1);
  await redis.stop();
  expect(lines.filter((line) => line.includes("in a row"))).toHaveLength(1);
  expect(await redisesOn(redis.socketPath)).toEqual([]);
});

test("a stop while Redis is being started again leaves none", async () => {
  const lines: string[] = [];
  const redis = await start(newFolder(), { log: into(lines) });
  process.kill(await processOf(redis), "SIGKILL");
  await until(() => lines.some((line) => line.includes("died")), "it died", WAIT_MS);
  await redis.stop();
  expect(await redisesOn(redis.socketPath)).toEqual([]);
});

test("a Redis that can't start is an error with the end of its log, and frees the folder", async () => {
  const dataDir = newFolder();
  mkdirSync(join(dataDir, "appendonlydir", "appendonly.aof.manifest"), { recursive: true });
  const refusal = await refusalOf(startEmbeddedRedis({ dataDir, log: silent }));
  expect(refusal).toContain("exit code 1");
  expect(refusal).toContain("appendonly.aof.manifest");
  lockFolder(dataDir).release();
});

test("a Redis that is too old is reported, not tried", async () => {
  const parent = dirname(newFolder());
  writeFileSync(
    join(parent, "redis-server"),
    "#!/bin/sh\necho 'Redis server v=6.0.16 sha=00000000:0 malloc=jemalloc-5.2.1 bits=64'\n",
    { mode: 0o755 },
  );
  const program = `
    import { startEmbeddedRedis } from ${JSON.stringify(SOURCE)};
    import pino from "pino";
    await startEmbeddedRedis({ dataDir: ${JSON.stringify(join(parent, "data"))}, log: pino({ level: "silent" }) });`;
  const run = promisify(execFile)(process.execPath, ["-e", program], { env: { PATH: parent } });
  expect(String(await run.catch((error: unknown) => error))).toContain(
    `${join(parent, "redis-server")} is version 6.0.16, which is too old: install Redis 7.0`,
  );
});

test("a folder that can't be used is reported", async () => {
  const path = join(newFolder(), "file");
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, "");
  expect(await refusalOf(startEmbeddedRedis({ dataDir: path, log: silent }))).toContain(`${path} can't be used`);
});

test("a folder too long for a socket gets its socket elsewhere, and the same one each time", async () => {
  const dataDir = join(newFolder(), "x".repeat(120));
  const first = await start(dataDir);
  await call(first, "SET", "order", "americano");
  expect(Buffer.byteLength(first.socketPath)).toBeLessThan(104);
  expect(statSync(dirname(first.socketPath)).mode & 0o777).toBe(0o700);
  await first.stop();
  expect(existsSync(dirname(first.socketPath))).toBe(false);

  const second = await start(dataDir);
  expect(second.socketPath).toBe(first.socketPath);
  expect(await call(second, "GET", "order")).toBe("americano");
});

test("a folder for the socket that is open to others is not used", async () => {
  const dataDir = join(newFolder(), "x".repeat(120));
  const first = await start(dataDir);
  await first.stop();
  const elsewhere = dirname(first.socketPath);
  mkdirSync(elsewhere);
  chmodSync(elsewhere, 0o777);
  cleanups.push(() => rmSync(elsewhere, { recursive: true }));
  expect(await refusalOf(startEmbeddedRedis({ dataDir, log: silent }))).toContain(elsewhere);
});

test("nothing is left after a stop, and a second stop changes nothing", async () => {
  const dataDir = newFolder();
  const redis = await start(dataDir);
  const pid = await processOf(redis);
  await Promise.all([redis.stop(), redis.stop()]);
  await redis.stop();
  expect(isAlive(pid)).toBe(false);
  for (const name of ["redis.sock", "redis.pid", "server.pid"]) expect(existsSync(join(dataDir, name))).toBe(false);
  lockFolder(dataDir).release();
});

test("a server that has stopped its Redis ends by itself: no timer, connection or child keeps it", async () => {
  const dataDir = newFolder();
  const { process: server } = await startInChild(dataDir, "await redis.stop();");
  if (server.exitCode === null) await once(server, "exit");
  expect(server.exitCode).toBe(0);
});

test("a Redis that hangs is killed at the stop, and its orders are there after it", async () => {
  const dataDir = newFolder();
  const redis = await start(dataDir, { stopTimeoutMs: 300 });
  await call(redis, "SET", "order", "americano");
  const hanging = await processOf(redis);
  process.kill(hanging, "SIGSTOP");
  await redis.stop();
  expect(isAlive(hanging)).toBe(false);
  expect(await call(await start(dataDir), "GET", "order")).toBe("americano");
});

test("Redis is in a session of its own, so a Ctrl-C in the terminal spares it", async () => {
  const redis = await start(newFolder());
  const pid = await processOf(redis);
  // A group of processes goes by the id of its leader.
  expect(process.kill(-pid, 0)).toBe(true);
});

type Server = { readonly process: ChildProcess; readonly socketPath: string };

test("a full disk is one clear line, and the orders are there when there is room again", async () => {
  const dataDir = newFolder();
  const lines: string[] = [];
  const redis = await start(dataDir, { log: into(lines) });
  await call(redis, "SET", "order", "americano");
  // The next append-only file is one to which nothing can be written, as on a full disk.
  const next = join(dataDir, "appendonlydir", "appendonly.aof.2.incr.aof");
  symlinkSync("/dev/full", next);
  await call(redis, "BGREWRITEAOF");
  const isRewritten = async () =>
    String(await call(redis, "INFO", "persistence")).includes("aof_rewrite_in_progress:0");
  await until(isRewritten, "the rewrite is over", WAIT_MS);
  await call(redis, "SET", "order", "lost").catch(() => {});
  await until(() => lines.length > 0, "something is logged", WAIT_MS);
  rmSync(next);
  writeFileSync(next, "");
  await until(() => lines.some((line) => line.includes("runs again")), "it runs again", WAIT_MS);
  expect(lines.filter((line) => line.includes("can't write to"))).toHaveLength(1);
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({ level: 50 });
  expect(lines[0]).toContain(`${dataDir} (No space left on device): orders wait until there is room`);
  expect(await call(redis, "GET", "order")).toBe("americano");
});

async function start(
  dataDir: string,
  options: { log?: pino.Logger; stopTimeoutMs?: number } = {},
): Promise<EmbeddedRedis> {
  const redis = await startEmbeddedRedis({ dataDir, log: silent, ...options });
  cleanups.push(() => redis.stop());
  return redis;
}

/**
 * A server of its own, which can be killed. Resolves once its Redis answers. `then` is what it does next; with nothing
 * to do, it is kept alive by its Redis.
 */
async function startInChild(dataDir: string, then = ""): Promise<Server> {
  const program = `
    import { startEmbeddedRedis } from ${JSON.stringify(SOURCE)};
    import pino from "pino";
    const redis = await startEmbeddedRedis({ dataDir: ${JSON.stringify(dataDir)}, log: pino({ level: "silent" }) });
    console.log(redis.socketPath);
    ${then}`;
  const server = spawn(process.execPath, ["-e", program], { stdio: ["ignore", "pipe", "inherit"] });
  cleanups.push(async () => {
    await kill9(server);
    // The orphan of the test goes as it came: found and stopped by the next start.
    if (existsSync(dataDir)) await (await startEmbeddedRedis({ dataDir, log: silent }).catch(() => undefined))?.stop();
  });
  const heard: readonly unknown[] = await once(createInterface(server.stdout), "line");
  return { process: server, socketPath: String(heard[0]) };
}

async function kill9(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

function newFolder(): string {
  const parent = mkdtempSync(join(tmpdir(), "longpour-test-"));
  cleanups.push(() => rmSync(parent, { recursive: true, force: true }));
  return join(parent, "data");
}

async function call({ socketPath }: { socketPath: string }, name: string, ...given: string[]): Promise<unknown> {
  const client = new Redis({ path: socketPath, lazyConnect: true, retryStrategy: () => null });
  client.on("error", () => {});
  try {
    return await client.call(name, ...given);
  } finally {
    client.disconnect();
  }
}

async function ping(socketPath: string): Promise<unknown> {
  return await call({ socketPath }, "PING");
}

async function processOf(redis: { socketPath: string }): Promise<number> {
  return Number(/process_id:(\d+)/.exec(String(await call(redis, "INFO", "server")))?.[1]);
}

/** Whether it runs. A dead process that its new parent has not reaped yet does not. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !existsSync("/proc/self/cmdline") || readFileSync(`/proc/${pid}/cmdline`, "utf8") !== "";
  } catch {
    return false;
  }
}

async function redisesOn(socketPath: string): Promise<string[]> {
  const { stdout } = await promisify(execFile)("ps", ["-ww", "-eo", "command="]);
  return stdout.split("\n").filter((line) => line.includes(socketPath));
}

/** How often Redis was started after the first time, by its log. */
function startsIn(dataDir: string): number {
  return readFileSync(join(dataDir, "redis.log"), "utf8").split("Redis is starting").length - 2;
}

async function refusalOf(promise: Promise<unknown>): Promise<string> {
  const outcome = await promise.then(
    () => new Error("it was not refused"),
    (error: unknown) => error,
  );
  if (!(outcome instanceof StartError)) throw outcome;
  return outcome.message;
}

function into(lines: string[]): pino.Logger {
  return pino({}, { write: (line: string) => void lines.push(line) });
}
