/** Owns the tests of what the doctor says of real Redis servers, each set up wrongly in one way. */
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { diagnosed, startDoctor } from "../../support/doctor.ts";
import { freePort, TestRedis } from "../../support/redis.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(120_000);

const servers: TestRedis[] = [];

afterAll(async () => {
  for (const server of servers) process.kill(server.pid, "SIGCONT");
  await Promise.all(servers.map((server) => server.stop()));
});

async function start(...args: string[]): Promise<TestRedis> {
  const server = await TestRedis.start(...args);
  servers.push(server);
  return server;
}

const CHECKS = ["version", "eviction", "memory", "durability", "fsync", "connections", "replicas", "redis-clock"];

test("a Redis with the shipped configuration has no fault, and its fsync is measured", async () => {
  const server = await start();
  const { exitCode, find } = await diagnosed("--redis", server.url);
  for (const check of ["eviction", "memory", "durability", "connections", "replicas", "redis-clock"]) {
    expect(find(check)).toMatchObject({ check, verdict: "ok" });
  }
  // (A busy machine may answer late: a warning, no fault.)
  expect(find("master").values).toMatchObject({ role: "master", is_silent: false });
  for (const name of ["fsync_ms", "set_ms"]) expect(find("fsync").values?.[name]).toBeNumber();
  expect(find("cut-off")).toMatchObject({ verdict: "skipped", measured: "give --url" });
  expect(exitCode).toBe(0);
  const redis = server.connect();
  expect(await redis.keys("*")).toEqual([]);
  redis.disconnect();
});

test("allkeys-lru is a fault, everysec a warning, and too few connections a fault", async () => {
  const wrong = ["--maxmemory-policy", "allkeys-lru", "--appendfsync", "everysec", "--maxclients", "50"];
  const server = await start(...wrong);
  const { exitCode, verdict, find } = await diagnosed("--redis", server.url);
  expect(find("eviction")).toMatchObject({ verdict: "fault", values: { maxmemory_policy: "allkeys-lru" } });
  expect(find("eviction").advice).toContain("noeviction");
  expect(find("durability")).toMatchObject({ verdict: "warning", values: { appendfsync: "everysec" } });
  expect(find("fsync")).toMatchObject({ verdict: "skipped", values: { fsync_ms: null } });
  expect(find("connections")).toMatchObject({ verdict: "fault", values: { maxclients: 50, needed_by_servers: 67 } });
  expect([exitCode, verdict]).toEqual([1, "fault"]);
  const few = await diagnosed("--redis", server.url, "--lanes", "30");
  expect(few.find("connections")).toMatchObject({ verdict: "warning", values: { needed_by_servers: 33 } });
  const enough = await diagnosed("--redis", server.url, "--lanes", "4", "--servers", "2");
  expect(enough.find("connections")).toMatchObject({ verdict: "ok", values: { needed_by_servers: 14 } });
});

test("without an append-only file a restart loses orders: a fault", async () => {
  const server = await start("--appendonly", "no");
  const { find } = await diagnosed("--redis", server.url);
  expect(find("durability")).toMatchObject({ verdict: "fault", values: { appendonly: false } });
});

test("a Redis that takes connections and answers nothing is a silent master, also at the login", async () => {
  const server = await start();
  process.kill(server.pid, "SIGSTOP");
  for (const login of ["", "longpour:hush@"]) {
    const { exitCode, find } = await diagnosed("--redis", `redis://${login}127.0.0.1:${server.port}/1`);
    expect(find("master")).toMatchObject({ verdict: "fault", values: { is_silent: true } });
    for (const check of CHECKS) expect(find(check)).toMatchObject({ check, verdict: "skipped" });
    expect(exitCode).toBe(1);
  }
});

test("a replica is a fault, with its silent master named; a silent replica is a warning of its master's", async () => {
  const [master, replica] = await Promise.all([start(), start()]);
  const [one, other] = [master.connect(), replica.connect()];
  await other.replicaof("127.0.0.1", master.port);
  const isLinked = async (): Promise<boolean> => (await other.info("replication")).includes("master_link_status:up");
  await until(isLinked, "the replica follows", 30_000);
  const healthy = await diagnosed("--redis", master.url);
  expect(healthy.find("replicas")).toMatchObject({ verdict: "ok", values: { replicas: 1, acknowledged: 1 } });
  process.kill(replica.pid, "SIGSTOP");
  const lagging = await diagnosed("--redis", master.url);
  expect(lagging.find("replicas")).toMatchObject({ verdict: "warning", values: { replicas: 1, acknowledged: 0 } });
  process.kill(replica.pid, "SIGCONT");
  await one.config("SET", "min-replicas-to-write", 2);
  const wanting = await diagnosed("--redis", master.url);
  expect(wanting.find("replicas")).toMatchObject({ verdict: "fault", values: { min_replicas_to_write: 2 } });
  expect(wanting.find("fsync").measured).toContain("NOREPLICAS");
  await other.replicaof("127.0.0.1", freePort());
  const orphan = await diagnosed("--redis", replica.url);
  expect(orphan.find("master")).toMatchObject({ verdict: "fault", values: { role: "slave" } });
  expect(orphan.find("master").measured).toContain("its master is silent");
  one.disconnect();
  other.disconnect();
});

test("a user with the server's rights alone sees all but the settings", async () => {
  const server = await start();
  const admin = server.connect();
  const rights = ["~{main}:*", "&{main}:*", "+@all", "-@admin", "-@dangerous", "+info", "+client|unblock"];
  await admin.acl("SETUSER", "longpour", "on", ">hush-42", ...rights);
  admin.disconnect();
  const { exitCode, find } = await diagnosed("--redis", `redis://longpour:hush-42@127.0.0.1:${server.port}`);
  expect(find("durability")).toMatchObject({ verdict: "warning", values: { appendfsync: null } });
  for (const check of ["master", "eviction", "connections", "replicas", "redis-clock"]) {
    expect(find(check)).toMatchObject({ check, verdict: "ok" });
  }
  expect(exitCode).toBe(0);
});

test("a wrong login and a port at which nothing listens are faults, and no password is printed", async () => {
  const server = await start();
  const admin = server.connect();
  await admin.config("SET", "requirepass", "right-42");
  admin.disconnect();
  for (const [url, said] of [
    [`redis://:wrong-hush@127.0.0.1:${server.port}`, "refused the login"],
    [`redis://:wrong-hush@127.0.0.1:${freePort()}`, "can't be reached"],
  ] as const) {
    const { exitCode, stdout, stderr } = await startDoctor(["--redis", url]).ended;
    expect(stdout).toMatch(new RegExp(`^fault +master +Redis ${said}`, "m"));
    expect(`${stdout}${stderr}`).not.toContain("hush");
    expect(exitCode).toBe(1);
  }
});
