/** Owns the tests of connections.ts: which Redis is refused, and what an outage does. */
import { afterEach, expect, test } from "bun:test";
import pino from "pino";
import { StartError } from "../../src/lifecycle.ts";
import { RedisUnavailableError } from "../../src/redis/unavailable.ts";
import { checkServer } from "../../src/redis/check.ts";
import { openRedis, type RedisSettings, type ShopRedis } from "../../src/redis/connections.ts";
import { loadScript } from "../../src/redis/script.ts";
import { silent, TestRedis } from "../support/redis.ts";
import { until } from "../support/until.ts";

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function startRedis(...args: string[]): Promise<TestRedis> {
  const server = await TestRedis.start(...args);
  closers.push(() => server.stop());
  return server;
}

async function open(url: string, own: Partial<RedisSettings> = {}): Promise<ShopRedis> {
  const redis = await openRedis({ address: { url }, shop: "test", outageSeconds: 5, log: silent, ...own });
  closers.push(() => redis.close());
  return redis;
}

/** Why `open` throws a StartError. */
async function refusal(url: string, own: Partial<RedisSettings> = {}): Promise<string> {
  const error = await open(url, own).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(StartError);
  return (error as StartError).message;
}

const info = (version: string, policy: string) =>
  `# Server\r\nredis_version:${version}\r\nredis_mode:standalone\r\n# Memory\r\nmaxmemory_policy:${policy}\r\n`;

test("Redis 7 and newer that evicts nothing is taken", () => {
  for (const version of ["7.0.0", "7.2.4", "8.0.1", "10.0.0"])
    expect(() => checkServer(info(version, "noeviction"))).not.toThrow();
});

test("an old Redis is named by its version, with what to use", () => {
  expect(() => checkServer(info("6.2.14", "noeviction"))).toThrow(
    new StartError("Redis 6.2.14 is too old: use Redis 7.0 or newer, or Valkey 8"),
  );
});

test("a Redis that may evict is named by its policy, with what to set", () => {
  expect(() => checkServer(info("7.0.15", "volatile-ttl"))).toThrow(
    new StartError(
      "Redis may evict orders (maxmemory-policy volatile-ttl): set it to noeviction, as in redis/redis.conf",
    ),
  );
});

test("an evicting Redis is refused, and nothing stays connected to it", async () => {
  const server = await startRedis("--maxmemory-policy", "allkeys-lru");
  expect(await refusal(server.url)).toContain("maxmemory-policy allkeys-lru): set it to noeviction");
  const client = server.connect();
  closers.push(() => client.disconnect());
  await until(async () => !String(await client.client("LIST")).includes("longpour:"), "the connections are closed");
});

test("a Redis that asks for a password is refused with where to put it, and taken with the right one", async () => {
  const server = await startRedis();
  const client = server.connect();
  await client.config("SET", "requirepass", "secret");
  client.disconnect();
  const advice = "Put the user and password into REDIS_URL: redis://user:password@host:port";
  expect(await refusal(server.url)).toContain(advice);
  const wrong = await refusal(server.url.replace("//", "//:guess@"));
  expect(wrong).toContain(advice);
  expect(wrong).not.toContain("guess");
  expect(await (await open(server.url.replace("//", "//:secret@"))).isReady()).toBe(true);
});

test("where no Redis listens, the setting to look at is named", async () => {
  const server = await startRedis();
  await server.kill();
  expect(await refusal(server.url, { outageSeconds: 0.5 })).toMatch(
    /^Redis can't be reached \(.*ECONNREFUSED.*\)\. Check REDIS_URL$/,
  );
});

test("a Redis that comes up while the server starts is waited for", async () => {
  const server = await startRedis();
  await server.kill();
  const opening = open(server.url, { outageSeconds: 10 });
  await server.resume();
  expect(await (await opening).isReady()).toBe(true);
});

test("an outage is logged once when it begins and once when it ends; what was asked meanwhile is answered after it", async () => {
  const lines: Record<string, unknown>[] = [];
  const log = pino(
    { base: null },
    { write: (line: string) => lines.push(JSON.parse(line) as Record<string, unknown>) },
  );
  const server = await startRedis();
  const redis = await open(server.url, { log, outageSeconds: 20 });
  const heard: (string | null)[] = [];
  redis.listen("test-channel", (message) => heard.push(message));
  await server.kill();
  await until(() => lines.length > 0, "the outage is logged");
  expect(await redis.isReady()).toBe(false);
  heard.length = 0;
  const answer = redis.run(loadScript("find-orders"), ["A"]);
  await server.resume();
  expect(await answer).toBe("unknown");
  await until(() => lines.length > 1, "its end is logged");
  expect(lines).toMatchObject([{ msg: "Redis is away: customers keep waiting" }, { msg: "Redis is back" }]);
  expect(lines[1]?.outage_seconds).toBeGreaterThan(0);
  // Messages may have been missed.
  await until(() => heard.includes(null), "the listener has heard");
});

test("a Redis that does not answer in time rejects, as unavailable", async () => {
  const server = await startRedis();
  const redis = await open(server.url, { outageSeconds: 1 });
  process.kill(server.pid, "SIGSTOP");
  const error: unknown = await redis.run(loadScript("find-orders"), ["A"]).catch((reason: unknown) => reason);
  process.kill(server.pid, "SIGCONT");
  expect(error).toBeInstanceOf(RedisUnavailableError);
  expect(error).toHaveProperty("mayHaveRun", true);
  await until(() => redis.isReady(), "it answers again");
});

test("a blocked read of another connection can be ended", async () => {
  const server = await startRedis();
  const redis = await open(server.url);
  const blocking = redis.openBlocking("lane", 30);
  closers.push(() => blocking.disconnect());
  const id = await blocking.client("ID");
  expect(await redis.unblock(id)).toBe(false);
  const popped = blocking.blpop("nothing", 30);
  await until(() => redis.unblock(id), "it is blocked");
  expect(await popped).toBeNull();
});
