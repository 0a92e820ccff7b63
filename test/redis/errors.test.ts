/** Owns the tests of errors.ts: each text comes from the server or the library that says it. */
import { afterEach, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Redis } from "ioredis";
import { faultOf, isCertificateFault, isDemoted, isMissingDatabase } from "../../src/redis/errors.ts";
import { withoutWords } from "../../src/log.ts";
import { freePort, TestRedis } from "../support/redis.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(60_000);

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function startRedis(...args: string[]): Promise<{ server: TestRedis; admin: Redis }> {
  const server = await TestRedis.start(...args);
  closers.push(() => server.stop());
  const admin = server.connect();
  closers.push(() => admin.disconnect());
  return { server, admin };
}

/** A client that gives up at once, as the server's do. */
function connect(url: string, own: object = {}): Redis {
  const redis = new Redis(url, { maxRetriesPerRequest: 0, ...own });
  redis.on("error", () => {});
  closers.push(() => redis.disconnect());
  return redis;
}

async function errorOf(call: Promise<unknown>): Promise<Error> {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof Error) return error;
  throw new Error("it did not fail");
}

/** A script that may write, and one that does. */
const WRITER = "#!lua\nreturn redis.call('SET', KEYS[1], '1')";
const write = (redis: Redis) => redis.eval(WRITER, 1, "key");

async function expectUnavailable(call: Promise<unknown>, code: string): Promise<void> {
  const fault = faultOf(await errorOf(call));
  expect(fault).toMatchObject({ kind: "unavailable", code });
}

test("OOM, NOREPLICAS, READONLY: a script is refused whole, and a blocking read", async () => {
  const { admin } = await startRedis();
  await admin.config("SET", "maxmemory", "1");
  await expectUnavailable(write(admin), "OOM");
  await expectUnavailable(admin.eval("#!lua\nreturn 1", 1, "key"), "OOM");
  await admin.config("SET", "maxmemory", "0");
  await admin.config("SET", "min-replicas-to-write", "1");
  await expectUnavailable(write(admin), "NOREPLICAS");
  await expectUnavailable(admin.eval("#!lua\nreturn 1", 1, "key"), "NOREPLICAS");
  await admin.config("SET", "min-replicas-to-write", "0");
  await admin.replicaof("127.0.0.1", 1);
  await expectUnavailable(write(admin), "READONLY");
  await expectUnavailable(admin.eval("#!lua\nreturn 1", 1, "key"), "READONLY");
  await expectUnavailable(admin.blpop("key", 1), "READONLY");
  expect(isDemoted(await errorOf(write(admin)))).toBe(true);
  await admin.config("SET", "replica-serve-stale-data", "no");
  await expectUnavailable(admin.get("key"), "MASTERDOWN");
});

test("MISCONF: a Redis that can't write to its disk", async () => {
  const { admin } = await startRedis("--save", "3600 1");
  const [, folder = ""] = await admin.config("GET", "dir");
  // A snapshot can't be moved to where a folder stands.
  const inTheWay = join(folder, "dump.rdb");
  rmSync(inTheWay, { force: true });
  mkdirSync(inTheWay);
  await admin.bgsave();
  await until(async () => (await admin.info("persistence")).includes("rdb_last_bgsave_status:err"), "the save fails");
  await expectUnavailable(write(admin), "MISCONF");
  await expectUnavailable(admin.eval("#!lua\nreturn 1", 1, "key"), "MISCONF");
  rmdirSync(inTheWay);
});

test("BUSY: another script runs for long", async () => {
  const { server, admin } = await startRedis("--busy-reply-threshold", "50");
  const endless = errorOf(connect(server.url).eval("while true do end", 0));
  await until(async () => (await admin.ping().catch(String)) !== "PONG", "Redis is busy");
  await expectUnavailable(write(admin), "BUSY");
  await expectUnavailable(admin.info(), "BUSY");
  await admin.script("KILL");
  // That it was killed is the script's own fault.
  expect(faultOf(await endless)).toEqual({ kind: "other" });
});

test("LOADING: a Redis that reads its data", async () => {
  const { server, admin } = await startRedis();
  await admin.eval("for i = 1, 5000 do redis.call('SET', 'key:' .. i, i) end", 0);
  await server.kill();
  const slow = ["--key-load-delay", "100"];
  // It answers only once it has read them.
  const resumed = server.resume(...slow);
  const client = connect(server.url, { enableReadyCheck: false });
  await until(async () => faultOf(await errorOrNothing(client.get("key:1"))).kind === "unavailable", "it loads");
  await expectUnavailable(client.get("key:1"), "LOADING");
  await resumed;
});

async function errorOrNothing(call: Promise<unknown>): Promise<unknown> {
  return await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
}

test("CLUSTERDOWN and TRYAGAIN: a cluster without its slots, and one that moves them", async () => {
  const start = (bus: number) =>
    startRedis("--cluster-enabled", "yes", "--cluster-port", String(bus), "--appendonly", "no");
  const bus = freePort();
  const [first, second] = [await start(freePort()), await start(bus)];
  await expectUnavailable(first.admin.get("key"), "CLUSTERDOWN");
  await first.admin.cluster("ADDSLOTSRANGE", 0, 16_383);
  await first.admin.cluster("MEET", "127.0.0.1", second.server.port, bus);
  const id = await second.admin.cluster("MYID");
  await until(async () => String(await first.admin.cluster("NODES")).includes(id), "they have met");
  await until(async () => (await first.admin.cluster("INFO")).includes("cluster_state:ok"), "it serves");
  const slot = await first.admin.cluster("KEYSLOT", "{a}");
  await first.admin.set("{a}1", "here");
  await first.admin.cluster("SETSLOT", slot, "MIGRATING", id);
  await expectUnavailable(first.admin.mget("{a}1", "{a}2"), "TRYAGAIN");
  expect(isMissingDatabase(await errorOf(first.admin.select(1)))).toBe(true);
});

test("what a user may not do is denied: commands, keys, channels, also in scripts, and the login", async () => {
  const { server, admin } = await startRedis();
  const grant = async (...rights: string[]) => {
    await admin.call("ACL", "SETUSER", "guest", "reset", "on", ">word", ...rights);
    return connect(server.url.replace("//", "//guest:word@"), { disableClientInfo: true });
  };
  const expectDenied = async (call: Promise<unknown>) => expect(faultOf(await errorOf(call)).kind).toBe("denied");
  await expectDenied((await grant("~*", "&*", "+@all", "-eval")).eval(WRITER, 1, "key"));
  await expectDenied((await grant("~other", "&*", "+@all")).eval(WRITER, 1, "key"));
  await expectDenied((await grant("~*", "&*", "+@all", "-set")).eval(WRITER, 1, "key"));
  await expectDenied((await grant("~*", "&other", "+@all")).publish("channel", "word"));
  const elsewhere = "#!lua\nreturn redis.call('SET', 'elsewhere', '1')";
  await expectDenied((await grant("~key", "&*", "+@all")).eval(elsewhere, 1, "key"));
  const onChannel = "#!lua\nreturn redis.call('PUBLISH', 'channel', '1')";
  await expectDenied((await grant("~*", "&other", "+@all")).eval(onChannel, 1, "key"));
  await expectDenied(connect(server.url.replace("//", "//guest:guess@")).ping());
  await admin.config("SET", "requirepass", "secret");
  await expectDenied(connect(server.url).ping());
});

test("a script that is not known, a database that is not there", async () => {
  const { server, admin } = await startRedis();
  expect(faultOf(await errorOf(admin.evalsha("0".repeat(40), 1, "key"))).kind).toBe("unknown_script");
  expect(faultOf(await errorOf(admin.fcall("longpour_none", 1, "key"))).kind).toBe("unknown_script");
  const library = "#!lua name=longpour_some\nredis.register_function('some', function() end)";
  await admin.function("LOAD", library);
  expect(faultOf(await errorOf(admin.function("LOAD", library))).kind).toBe("known_library");
  const missing = await errorOf(admin.select(99));
  expect(isMissingDatabase(missing)).toBe(true);
  const met = Promise.withResolvers<unknown>();
  connect(`${server.url}/99`).once("error", met.resolve);
  expect(isMissingDatabase(await met.promise)).toBe(true);
});

test("a call under way when its connection is lost, one on a closed connection, one that is not answered", async () => {
  const { server } = await startRedis();
  const client = connect(server.url, { commandTimeout: 500 });
  await client.ping();
  process.kill(server.pid, "SIGSTOP");
  expect(faultOf(await errorOf(client.ping())).kind).toBe("timed_out");
  const lost = errorOf(connect(server.url).ping());
  const underWay = errorOf(client.ping());
  await server.kill();
  expect(faultOf(await lost).kind).toBe("lost");
  expect(faultOf(await underWay).kind).toBe("lost");
  await server.resume();
  const closed = connect(server.url);
  await closed.quit();
  await until(() => closed.status === "end", "it is closed");
  expect(faultOf(await errorOf(closed.ping())).kind).toBe("lost");
});

test("what is wrong with a call is its own fault, and repeats no argument", async () => {
  const { admin } = await startRedis();
  await admin.set("key", "text");
  expect(faultOf(await errorOf(admin.lpush("key", "1"))).kind).toBe("other");
  const unknown = await errorOf(admin.call("NOSUCH", "oat milk"));
  expect(unknown.message).toContain("oat milk");
  expect(withoutWords(unknown.message)).toBe("ERR unknown command 'NOSUCH'");
  expect(isCertificateFault(unknown)).toBe(false);
});
