/**
 * A Redis that answers but does not serve: all wait as through any outage, it is one line in the log, and it
 * heals. Quiet, as a machine that stands still for seconds is an outage of its own.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Redis } from "ioredis";
import {
  ask,
  brew,
  expectOrder,
  expectProblem,
  order,
  place,
  start,
  applyVerb,
  untilHeld,
  type Answer,
} from "../support/http.ts";
import { TestRedis } from "../support/redis.ts";
import { startServer, type Server } from "../support/server.ts";
import { until } from "../support/until.ts";
import { RedisRelay } from "../support/relay.ts";

setDefaultTimeout(120_000);

/** How Redis is made to refuse, and how it is made to serve again. */
interface Trouble {
  readonly code: string;
  readonly args?: readonly string[];
  readonly begin: (admin: Redis, redis: TestRedis) => Promise<unknown>;
  readonly end: (admin: Redis) => Promise<unknown>;
}

/** A snapshot can't be moved to where a folder stands. */
async function snapshotPath(admin: Redis): Promise<string> {
  const [, folder = ""] = await admin.config("GET", "dir");
  return join(folder, "dump.rdb");
}

async function saveUntil(admin: Redis, status: "ok" | "err"): Promise<void> {
  await until(async () => {
    await admin.bgsave().catch(() => {});
    return (await admin.info("persistence")).includes(`rdb_last_bgsave_status:${status}`);
  }, `a snapshot ends with ${status}`);
}

const TROUBLES: readonly Trouble[] = [
  {
    code: "OOM",
    begin: (admin) => admin.config("SET", "maxmemory", "1"),
    end: (admin) => admin.config("SET", "maxmemory", "0"),
  },
  {
    code: "NOREPLICAS",
    begin: (admin) => admin.config("SET", "min-replicas-to-write", "1"),
    end: (admin) => admin.config("SET", "min-replicas-to-write", "0"),
  },
  {
    code: "READONLY",
    begin: (admin) => admin.replicaof("127.0.0.1", 1),
    end: (admin) => admin.replicaof("NO", "ONE"),
  },
  {
    code: "MISCONF",
    args: ["--save", "3600 1"],
    begin: async (admin) => {
      const path = await snapshotPath(admin);
      rmSync(path, { force: true });
      mkdirSync(path);
      await saveUntil(admin, "err");
    },
    end: async (admin) => {
      rmdirSync(await snapshotPath(admin));
      await saveUntil(admin, "ok");
    },
  },
  {
    code: "BUSY",
    args: ["--busy-reply-threshold", "50"],
    begin: async (admin, redis) => {
      const busy = redis.connect();
      void busy
        .eval("while true do end", 0)
        .catch(() => {})
        .finally(() => busy.disconnect());
      await until(async () => (await admin.ping().catch(String)) !== "PONG", "Redis is busy");
    },
    end: (admin) => admin.script("KILL"),
  },
];

/** Fits under any limit of open files: no start warns of that. */
const FITTING = { MAX_HELD: "500" };

/** A server on a Redis of its own, and a connection to meddle with that. */
class Cafe implements AsyncDisposable {
  readonly redis: TestRedis;
  readonly admin: Redis;
  readonly server: Server;

  private constructor(redis: TestRedis, server: Server) {
    this.redis = redis;
    this.admin = redis.connect();
    this.server = server;
  }

  static async open(environment: Record<string, string> = {}, args: readonly string[] = []): Promise<Cafe> {
    const redis = await TestRedis.start(...args);
    return new Cafe(redis, await startServer({ ...FITTING, REDIS_URL: redis.url, ...environment }));
  }

  async untilReady(isReady: boolean): Promise<void> {
    const status = isReady ? 200 : 503;
    const { customers } = this.server;
    await until(async () => (await ask(`${customers}/readyz`)).status === status, `readyz says ${status}`);
  }

  logged(text: string): readonly Record<string, unknown>[] {
    return this.server.log().filter(({ msg }) => String(msg).startsWith(text));
  }

  /** Expects one outage in the log, over, and nothing else that an operator would have to read. */
  async expectOneOutage(code: string): Promise<void> {
    await until(() => this.logged("Redis is back").length > 0, "the end is logged");
    expect(this.logged("Redis is away")).toMatchObject([{ level: "warn" }]);
    expect(this.logged("Redis is away")[0]?.msg).toContain(code);
    expect(this.logged("Redis is back")).toMatchObject([{ level: "info" }]);
    expect(this.logged("Redis is back")[0]?.outage_seconds).toBeGreaterThan(0);
    const loud = this.server.log().filter(({ level }) => level === "warn" || level === "error");
    expect(loud).toHaveLength(1);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.admin.disconnect();
    await this.server.stop("SIGKILL");
    await this.redis.stop();
  }
}

function expectUnavailable(answer: Answer): void {
  expect(expectProblem(answer, 503).type).toBe("urn:longpour:problem:redis_away");
  expect(Number(answer.headers["retry-after"])).toBeGreaterThanOrEqual(1);
}

test.each(TROUBLES.map((trouble) => [trouble.code, trouble] as const))(
  "%s: who asks meanwhile waits and is served after it, and it is one line in the log",
  async (code, { args, begin, end }) => {
    await using cafe = await Cafe.open({ OUTAGE_SECONDS: "30" }, args);
    const { server, admin, redis } = cafe;
    const held = Array.from({ length: 3 }, (_, index) => order(server, { note: `held ${index}` }));
    await untilHeld(server, 3);
    const brewing = await start(server, "barista=Grace");

    await begin(admin, redis);
    // Found by what the server does anyway: nothing is asked but whether it is ready.
    await cafe.untilReady(false);
    expect((await ask(`${server.customers}/livez`)).status).toBe(200);
    const requests = [
      ...Array.from({ length: 20 }, () => order(server, { note: "asked" }, { headers: { Prefer: "respond-async" } })),
      applyVerb(server, "finish", brewing.order_id, "barista=Grace"),
      ask(`${server.baristas}/start/?barista=Ada`),
    ];
    let answered = 0;
    for (const answer of requests) void answer.then(() => (answered += 1));
    // The length of the trouble, in which none is answered.
    await Bun.sleep(1500);
    expect(answered).toBe(0);
    await end(admin);

    const answers = await Promise.all(requests);
    for (const answer of answers.slice(0, 20)) expectOrder(answer, { status: "queued" }, 202);
    expectOrder(answers[20] as Answer, { order_id: brewing.order_id, status: "ready" });
    const started = expectOrder(answers[21] as Answer, { status: "brewing", barista: "Ada" });
    expectOrder(await applyVerb(server, "finish", started.order_id), { status: "ready" });
    for (let made = 2; made < 23; made += 1) await brew(server);
    for (const answer of await Promise.all(held)) expectOrder(answer, { status: "ready" });
    expectProblem(await ask(`${server.baristas}/start/`), 404);
    await cafe.untilReady(true);
    await cafe.expectOneOutage(code);
  },
);

test.each(TROUBLES.map((trouble) => [trouble.code, trouble] as const))(
  "%s for longer than the bound: 503, nothing of it is done later, and who was held is served",
  async (code, { args, begin, end }) => {
    await using cafe = await Cafe.open({ OUTAGE_SECONDS: "1" }, args);
    const { server, admin, redis } = cafe;
    const held = order(server, { note: "held" });
    await untilHeld(server, 1);
    await begin(admin, redis);
    await cafe.untilReady(false);
    for (let wave = 0; wave < 2; wave += 1) {
      const refused = [
        ...Array.from({ length: 10 }, () => order(server, { note: "refused" })),
        ask(`${server.baristas}/start/?barista=Ada`),
        ask(`${server.baristas}/queue`),
      ];
      for (const answer of await Promise.all(refused)) expectUnavailable(answer);
    }
    await end(admin);
    await cafe.untilReady(true);
    await brew(server);
    expectOrder(await held, { note: "held", status: "ready" });
    expectProblem(await ask(`${server.baristas}/start/`), 404);
    await cafe.expectOneOutage(code);
  },
);

test("however many wait, a Redis that refuses is asked little", async () => {
  await using cafe = await Cafe.open({ OUTAGE_SECONDS: "30" });
  const { server, admin } = cafe;
  await admin.config("SET", "maxmemory", "1");
  await cafe.untilReady(false);
  const refusals = async () => Number(/errorstat_OOM:count=(\d+)/.exec(await admin.info("errorstats"))?.[1] ?? 0);
  const before = await refusals();
  const requests = Array.from({ length: 200 }, () => order(server, {}, { headers: { Prefer: "respond-async" } }));
  await Bun.sleep(3000);
  // Pauses grow to a second, of which half may be left out.
  expect((await refusals()) - before).toBeLessThan(20);
  await admin.config("SET", "maxmemory", "0");
  for (const answer of await Promise.all(requests)) expectOrder(answer, {}, 202);
});

test("a demoted master whose connections stay: the server goes over to the new one, with all who wait", async () => {
  const [first, second] = [await TestRedis.start(), await TestRedis.start()];
  const [old, heir] = [first.connect(), second.connect()];
  using relay = new RedisRelay(first.port);
  const server = await startServer({ ...FITTING, REDIS_URL: relay.url, OUTAGE_SECONDS: "30" });
  try {
    await heir.replicaof("127.0.0.1", first.port);
    const held = Array.from({ length: 3 }, (_, index) => order(server, { note: `held ${index}` }));
    await untilHeld(server, 3);
    await until(async () => {
      const offset = async (redis: Redis) => /master_repl_offset:(\d+)/.exec(await redis.info("replication"))?.[1];
      return (
        (await heir.info("replication")).includes("master_link_status:up") &&
        (await offset(old)) === (await offset(heir))
      );
    }, "the heir has everything");
    relay.moveTo(second.port);
    await heir.replicaof("NO", "ONE");
    await old.replicaof("127.0.0.1", second.port);
    const placed = order(server, { note: "placed meanwhile" });
    for (let made = 0; made < 4; made += 1) await brew(server);
    for (const answer of [...(await Promise.all(held)), await placed]) expectOrder(answer, { status: "ready" });
    await until(async () => (await ask(`${server.customers}/readyz`)).status === 200, "it is ready");
    const namesAt = async (redis: Redis) => String(await redis.client("LIST")).match(/name=longpour\S+/g) ?? [];
    await until(async () => (await namesAt(old)).length === 0, "nothing stays with the old master");
    await until(async () => (await namesAt(heir)).some((name) => name.endsWith(":wakes")), "it listens to the new one");
    const lines = server.log().filter(({ msg }) => String(msg).startsWith("Redis is"));
    expect(lines).toMatchObject([{ level: "warn" }, { level: "info" }]);
  } finally {
    old.disconnect();
    heir.disconnect();
    await server.stop("SIGKILL");
    await first.stop();
    await second.stop();
  }
});

test("a Redis that hangs is one outage in the log, as long as it was", async () => {
  await using cafe = await Cafe.open({ OUTAGE_SECONDS: "60" });
  const { server, redis } = cafe;
  process.kill(redis.pid, "SIGSTOP");
  const begunAt = performance.now();
  await until(() => cafe.logged("Redis is away").length > 0, "the outage is logged", 30_000);
  const placed = place(server, { note: "placed meanwhile" });
  await Bun.sleep(1000);
  const seconds = (performance.now() - begunAt) / 1000;
  process.kill(redis.pid, "SIGCONT");
  await placed;
  await cafe.expectOneOutage("does not answer");
  // From the first call on that was not answered: the sweeper makes one a second.
  expect(Number(cafe.logged("Redis is back")[0]?.outage_seconds)).toBeGreaterThan(seconds - 2);
});

test("rights that are taken away: 503 at once, one line, and all is well when they are given back", async () => {
  await using cafe = await Cafe.open();
  const { server, admin } = cafe;
  await admin.call("ACL", "SETUSER", "default", "-@scripting");
  await cafe.untilReady(false);
  for (let wave = 0; wave < 3; wave += 1) {
    const requests = Array.from({ length: 10 }, () => order(server));
    for (const answer of await Promise.all(requests)) expectUnavailable(answer);
  }
  await admin.call("ACL", "SETUSER", "default", "+@all");
  await cafe.untilReady(true);
  const served = order(server);
  await brew(server);
  expectOrder(await served, { status: "ready" });
  const loud = server.log().filter(({ level }) => level === "warn" || level === "error");
  expect(loud).toMatchObject([{ level: "error" }]);
  expect(loud[0]?.msg).toContain("denies");
});
