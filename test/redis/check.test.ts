/** Owns the tests of check.ts: which Redis is refused at start, and what is said of it. */
import { afterEach, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { StartError } from "../../src/lifecycle.ts";
import { checkRedis } from "../../src/redis/check.ts";
import { REDIS } from "../../src/redis/embedded/server.ts";
import { keysOf } from "../../src/redis/keys.ts";
import { installProgram } from "../../src/redis/install.ts";
import { freePort, silent, TestRedis } from "../support/redis.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(60_000);

const RIGHTS = ["~{test}:*", "&{test}:*", "+@all", "-@admin", "-@dangerous", "+info", "+client|unblock"];

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function startRedis(...args: string[]): Promise<TestRedis> {
  const server = await TestRedis.start(...args);
  closers.push(() => server.stop());
  return server;
}

async function call(server: TestRedis, name: string, ...args: (string | number)[]): Promise<void> {
  const admin = server.connect();
  await admin.call(name, ...args);
  admin.disconnect();
}

/** What `checkRedis` says, and with which exit code; undefined when it takes the Redis. */
async function refusal(url: string, seconds = 5): Promise<{ message: string; exitCode: number } | undefined> {
  const error: unknown = await checkRedis({ address: { url }, keys: keysOf("test"), seconds }).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error === undefined) return undefined;
  if (!(error instanceof StartError)) throw error;
  expect(error.message).not.toContain("\n");
  return { message: error.message, exitCode: error.exitCode };
}

test("a database that does not exist is named, and one that exists is taken", async () => {
  const { url } = await startRedis("--databases", "4");
  expect(await refusal(`${url}/3`)).toBeUndefined();
  const refused = await refusal(`${url}/4`);
  expect(refused?.exitCode).toBe(2);
  expect(refused?.message).toContain(
    "REDIS_URL names database 4, which this Redis does not have: write a lower number",
  );
});

test("a Sentinel is named", async () => {
  // A Sentinel writes into its configuration: it gets one of its own.
  const folder = mkdtempSync(join(tmpdir(), "longpour-sentinel-"));
  closers.push(() => rmSync(folder, { recursive: true, force: true }));
  const conf = join(folder, "sentinel.conf");
  const port = freePort();
  writeFileSync(conf, `port ${port}\nbind 127.0.0.1\n`);
  const program = await installProgram(REDIS, { log: silent });
  const sentinel = Bun.spawn([program, conf, "--sentinel"], { stdio: ["ignore", "ignore", "ignore"] });
  closers.push(async () => {
    sentinel.kill("SIGKILL");
    await sentinel.exited;
  });
  expect(await refusal(`redis://127.0.0.1:${port}`)).toEqual({
    message: "REDIS_URL names a Sentinel: name the host and port of its master instead",
    exitCode: 2,
  });
});

test("a node of a cluster is named", async () => {
  const { url } = await startRedis("--cluster-enabled", "yes", "--cluster-port", String(freePort()));
  expect(await refusal(url)).toEqual({
    message: "REDIS_URL names a node of a Redis Cluster: name a server without cluster mode",
    exitCode: 2,
  });
});

test("a replica is named, with its master", async () => {
  const server = await startRedis();
  await call(server, "REPLICAOF", "192.0.2.7", 6380);
  const refused = await refusal(server.url);
  expect(refused?.exitCode).toBe(1);
  expect(refused?.message).toContain("is a replica, which takes no writes: name its master, 192.0.2.7:6380");
});

test("a Redis that refuses for now is waited for, and named when it goes on", async () => {
  const server = await startRedis();
  await call(server, "CONFIG", "SET", "maxmemory", "1");
  const refused = await refusal(server.url, 1);
  expect(refused?.message).toContain("OOM command not allowed");
  const checked = refusal(server.url, 30);
  await call(server, "CONFIG", "SET", "maxmemory", "0");
  expect(await checked).toBeUndefined();
});

test("a user with the rights that are advised is taken", async () => {
  const server = await startRedis();
  await call(server, "ACL", "SETUSER", "guest", "on", ">word", ...RIGHTS);
  expect(await refusal(server.url.replace("//", "//guest:word@"))).toBeUndefined();
});

test.each([
  ["INFO", "-info"],
  ["EVALSHA", "-evalsha"],
  ["FCALL", "-fcall"],
  ["FUNCTION", "-function|load"],
  ["SCRIPT", "-script"],
  ["eval", "-eval"],
  ["BLPOP", "-blpop"],
  ["XREAD", "-xread"],
  ["CLIENT", "-client|unblock"],
  ["SUBSCRIBE", "-subscribe"],
  ["PUBLISH", "resetchannels"],
  ["HSET", "-hset"],
  ["XADD", "-@stream"],
  ["access one of the keys", "resetkeys"],
])("without %s, the message says so, and which rights to give", async (name, right) => {
  const server = await startRedis();
  await call(server, "ACL", "SETUSER", "guest", "on", ">word", ...RIGHTS, right);
  const refused = await refusal(server.url.replace("//", "//guest:word@"));
  expect(refused?.exitCode).toBe(1);
  expect(refused?.message.toLowerCase()).toContain(name.toLowerCase());
  expect(refused?.message).toContain(`ACL SETUSER guest ${RIGHTS.join(" ")}`);
  expect(refused?.message).not.toContain("word");
});

test("what is checked is what the scripts call, and what the server reads by itself", () => {
  const folder = join(import.meta.dir, "../../redis");
  const read = (name: string): string => readFileSync(join(folder, name), "utf8");
  const checked = new Set(read("check-access.lua").match(/'[A-Z]{3,}'/g));
  const sources = readdirSync(folder).filter((name) => name.endsWith(".lua") && name !== "check-access.lua");
  // A command is the first text that a call gets, or the one after the queue of a consumer group.
  const called = sources.flatMap((name) => read(name).match(/(?<=[\w\]]\(\s*(?:queue, )?)'[A-Z]{3,}'/g) ?? []);
  expect(called.length).toBeGreaterThan(50);
  expect([...new Set(called)].filter((command) => !checked.has(command))).toEqual([]);
  for (const command of ["BLPOP", "XREAD", "SUBSCRIBE", "CLIENT", "INFO", "EVALSHA", "FCALL", "FUNCTION", "SCRIPT"]) {
    expect(checked).toContain(`'${command}'`);
  }
});

test("nothing stays connected", async () => {
  const server = await startRedis();
  expect(await refusal(server.url)).toBeUndefined();
  const client = server.connect();
  closers.push(() => client.disconnect());
  await until(async () => !String(await client.client("LIST")).includes("longpour"), "the connection is closed");
});
