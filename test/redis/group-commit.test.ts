/**
 * Owns the tests of group-commit.ts and commit.lua: how operations travel, and what becomes of runs whose answer is
 * lost.
 */
import { expect, test } from "bun:test";
import type { Redis } from "ioredis";
import { createOrders } from "../../src/orders/orders.ts";
import { RedisUnavailableError } from "../../src/redis/unavailable.ts";
import type { ShopRedis } from "../../src/redis/connections.ts";
import { loadFunction, type Argument, type RunScript } from "../../src/redis/script.ts";
import { nextTurn } from "../../src/turn.ts";
import { createCodes } from "../../src/shop/codes.ts";
import { ORDER_SETTINGS } from "../support/orders.ts";
import { openTestShop, sharedRedis } from "../support/redis.ts";
import { changesBy, readState } from "../support/state.ts";
import { endings } from "../support/settled.ts";
import { until } from "../support/until.ts";
import { parsing, type ParsedOrders } from "../support/wire.ts";

const commit = loadFunction("commit");
/** What follows the number of a run in its arguments, before its operations. */
const FIRST_OPERATION = 9;

type Fate = "passes" | "is held" | "is lost" | "never arrives";

/** The way from one server to Redis, on which a test decides what becomes of each run. */
class Line implements AsyncDisposable {
  readonly redis: ShopRedis;
  readonly client: Redis;
  readonly orders: ParsedOrders;
  /** What is done once Redis answers again. */
  readonly tasks: (() => Promise<unknown>)[] = [];
  /** Arguments of every commit that was sent, in the order in which they were. */
  readonly runs: (readonly Argument[])[] = [];
  readonly finals: string[] = [];
  fate: Fate = "passes";
  underWay = 0;
  maxUnderWay = 0;
  #gate = Promise.withResolvers<void>();
  readonly #close: () => void;

  private constructor(redis: ShopRedis, client: Redis) {
    this.redis = redis;
    this.client = client;
    const settings = { ...ORDER_SETTINGS, outageSeconds: 0.2 };
    const runWhenReconnected = (task: () => Promise<unknown>) => void this.tasks.push(task);
    const orders = createOrders({ run: this.run, runWhenReconnected }, settings);
    orders.onFinal({ notify: (id) => this.finals.push(id) });
    this.orders = parsing(orders);
    this.#close = () => orders.close();
  }

  static async open(): Promise<Line> {
    const { redis } = await openTestShop();
    return new Line(redis, (await sharedRedis()).connect());
  }

  readonly run: RunScript = async (script, args) => {
    if (script.name !== "commit") return await this.redis.run(script, args);
    this.runs.push(args);
    this.underWay += 1;
    this.maxUnderWay = Math.max(this.maxUnderWay, this.underWay);
    try {
      const { fate } = this;
      if (fate === "is held") await this.#gate.promise;
      if (fate === "never arrives") throw new RedisUnavailableError(true);
      const answer = await this.redis.run(script, args);
      if (fate === "is lost") throw new RedisUnavailableError(true);
      return answer;
    } finally {
      this.underWay -= 1;
    }
  };

  release(): void {
    this.fate = "passes";
    this.#gate.resolve();
    this.#gate = Promise.withResolvers();
  }

  /** Redis answers again: does what was left for later, and what that leaves. */
  async recover(): Promise<void> {
    this.fate = "passes";
    while (this.tasks.length > 0) await this.tasks.shift()?.();
  }

  place(orderId: string, idempotencyKey?: string) {
    return this.orders.place({ orderId, queue: "default", draft: {}, idempotencyKey });
  }

  start(claimId?: string) {
    return this.orders.start({ barista: "Grace", queue: "default", claimId });
  }

  send(args: readonly Argument[] | undefined): Promise<unknown> {
    return this.redis.run(commit, args ?? []);
  }

  state() {
    return readState(this.client, this.redis.keys.prefix);
  }

  changes(act: () => Promise<unknown>) {
    return changesBy(this.client, this.redis.keys.prefix, act);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#close();
    this.client.disconnect();
    this.redis.close();
  }
}

/** Names and counts of a run's operations, in the order in which it does them. */
function operationsOf(args: readonly Argument[] = []): string[] {
  const found: string[] = [];
  for (let at = FIRST_OPERATION; at < args.length;) {
    const [name, count, width] = [String(args[at]), Number(args[at + 1]), Number(args[at + 2])];
    found.push(`${name} ${count}`);
    at += 3 + count * width;
  }
  return found;
}

test("operations of one turn travel in one run, which frees work first, whatever order they came in", async () => {
  await using line = await Line.open();
  for (const id of ["A", "B", "C"]) await line.place(id);
  await line.start();
  line.runs.length = 0;
  const outcomes = await Promise.all([
    line.start(),
    line.place("D"),
    line.orders.cancel({ orderId: "B", canceller: "customer", reason: "customer" }),
    line.orders.finish({ orderId: "A" }),
    Promise.resolve().then(() => line.start()),
  ]);
  expect(line.runs.map(operationsOf)).toEqual([["finish 1", "cancel 1", "place 1", "start 2"]]);
  expect(outcomes).toMatchObject([
    { kind: "started", orderId: "C" },
    { kind: "placed", orderId: "D" },
    { kind: "changed", order: { status: "cancelled" } },
    { kind: "changed", order: { status: "ready" } },
    { kind: "started", orderId: "D" },
  ]);
});

test("what a caller makes of an outcome is what they get; where that throws, it rejects their call alone", async () => {
  const { redis } = await openTestShop();
  const orders = createOrders(redis, ORDER_SETTINGS);
  const place = { queue: "default", draft: {} };
  const results = await Promise.allSettled([
    orders.place.into({ ...place, orderId: "A" }, ({ kind }) => kind),
    orders.place.into({ ...place, orderId: "B" }, () => {
      throw new Error("no answer");
    }),
    orders.place.into({ ...place, orderId: "C" }, async ({ kind }) => `${kind} later`),
    orders.place({ ...place, orderId: "D" }),
  ]);
  expect(results).toMatchObject([
    { value: "placed" },
    { reason: new Error("no answer") },
    { value: "placed later" },
    { value: { kind: "placed", orderId: "D" } },
  ]);
  orders.close();
  redis.close();
});

test("a field that can't be sent rejects its call alone, by promise and by callback", async () => {
  const { redis } = await openTestShop();
  const orders = createOrders(redis, ORDER_SETTINGS);
  const place = { queue: "default", draft: {} };
  const unsendable = { queue: "default", draft: { note: 1n as never } };
  const rejected: unknown[] = [];
  orders.place.callBack(
    { ...unsendable, orderId: "A" },
    () => rejected.push("settled"),
    (error) => rejected.push(error),
  );
  const results = await Promise.allSettled([
    orders.place({ ...unsendable, orderId: "B" }),
    orders.place({ ...place, orderId: "C" }),
  ]);
  expect(rejected).toMatchObject([{ name: "TypeError" }]);
  expect(results).toMatchObject([{ reason: { name: "TypeError" } }, { value: { kind: "placed", orderId: "C" } }]);
  orders.close();
  redis.close();
});

test("fields that few operations have travel where one of the run has them, and are each operation's own", async () => {
  await using line = await Line.open();
  const width = (): unknown => line.runs.at(-1)?.[FIRST_OPERATION + 2];
  await Promise.all([line.place("A"), line.place("B")]);
  expect(width()).toBe(6);
  const placed = [line.place("C"), line.place("D", "key-1"), line.place("E", "key-1"), line.place("F")];
  expect(await Promise.all(placed)).toMatchObject([
    { kind: "placed", orderId: "C" },
    { kind: "placed", orderId: "D" },
    { kind: "joined", orderId: "D" },
    { kind: "placed", orderId: "F" },
  ]);
  expect(width()).toBe(11);

  await Promise.all([line.start(), line.start("claim-1")]);
  expect(width()).toBe(4);
  const finished = [line.orders.finish({ orderId: "A" }), line.orders.finish({ orderId: "B", result: "[2]" })];
  const [plain, made] = await Promise.all(finished);
  expect(plain).toMatchObject({ kind: "changed", order: { order_id: "A", status: "ready" } });
  expect(plain).not.toHaveProperty("order.result");
  expect(made).toMatchObject({ kind: "changed", order: { order_id: "B", result: [2] } });
});

test("at most two runs are under way, and what comes meanwhile makes the next one", async () => {
  await using line = await Line.open();
  line.fate = "is held";
  const calls: Promise<unknown>[] = [];
  for (let turn = 0; turn < 10; turn += 1) {
    calls.push(line.place(`order-${turn}`));
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  }
  expect(line.underWay).toBe(2);
  line.release();
  expect(await endings(calls)).toEqual(calls.map(() => "fulfilled"));
  expect(line.maxUnderWay).toBe(2);
  expect(line.runs.map(operationsOf)).toEqual([["place 1"], ["place 1"], ["place 8"]]);
});

test("what waits when a run was answered leaves before its answers are given", async () => {
  await using line = await Line.open();
  line.fate = "is held";
  const orders = createOrders({ run: line.run, runWhenReconnected: () => {} }, ORDER_SETTINGS);
  const sentByThen: number[] = [];
  const calls: Promise<unknown>[] = [];
  for (const orderId of ["first", "second", "third"]) {
    const wanted = { orderId, queue: "default", draft: {} };
    calls.push(orders.place.into(wanted, () => sentByThen.push(line.runs.length)));
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  }
  expect(line.runs).toHaveLength(2);
  line.release();
  await Promise.all(calls);
  expect(sentByThen).toEqual([3, 3, 3]);
  orders.close();
});

test("a call waits beside a larger run, and is sent once that is given up, though its slot stays taken", async () => {
  await using line = await Line.open();
  const first = Promise.withResolvers<never>();
  const runs: string[][] = [];
  const run: RunScript = async (script, args) => {
    if (script.name !== "commit") return await line.redis.run(script, args);
    runs.push(operationsOf(args));
    return runs.length === 1 ? await first.promise : await line.redis.run(script, args);
  };
  const orders = createOrders({ run, runWhenReconnected: () => {} }, ORDER_SETTINGS);
  const place = (orderId: string) => orders.place({ orderId, queue: "default", draft: {} });
  const given = endings([place("A"), place("B")]);
  await until(() => runs.length === 1, "the larger run is under way");
  const waiting = place("C");
  await nextTurn();
  expect(runs).toEqual([["place 2"]]);
  first.reject(new RedisUnavailableError(true));
  expect(await waiting).toMatchObject({ kind: "placed", orderId: "C" });
  expect(runs).toEqual([["place 2"], ["place 1"]]);
  expect(await given).not.toContain("fulfilled");
  orders.close();
});

test("more operations than a run holds make several runs, and each call gets its own answer", async () => {
  await using line = await Line.open();
  const ids = Array.from({ length: 600 }, (_, index) => `order-${index}`);
  const placed = await Promise.all(ids.map((id) => line.place(id)));
  expect(placed).toEqual(ids.map((orderId) => ({ kind: "placed", orderId })));
  expect(line.runs.map(operationsOf)).toEqual([["place 256"], ["place 256"], ["place 88"]]);
  expect(line.maxUnderWay).toBeLessThanOrEqual(2);
  const backwards = ids.toReversed();
  const outcomes = await Promise.all(
    backwards.map((orderId) => line.orders.cancel({ orderId, canceller: "customer", reason: "customer" })),
  );
  expect(outcomes.map((outcome) => outcome.kind === "changed" && outcome.order.order_id)).toEqual(backwards);
});

test("a run sent again answers the same and changes nothing, also after its orders have changed", async () => {
  await using line = await Line.open();
  for (const id of ["A", "B"]) await line.place(id);
  await Promise.all([line.start("c1"), line.place("C")]);
  const args = line.runs.at(-1);
  const first = await line.send(args);
  expect(await line.changes(async () => expect(await line.send(args)).toBe(first))).toEqual({});
  await line.redis.run(commit, [
    "other:0",
    1,
    ...(args ?? []).slice(2, 7),
    "other",
    "commit",
    "release",
    1,
    2,
    "A",
    "",
  ]);
  expect((await line.state())["order:A.status"]).toBe("queued");
  expect(await line.changes(async () => expect(await line.send(args)).toBe(first))).toEqual({});
});

test("each operation's answer is the same when its run is sent again later", async () => {
  await using line = await Line.open();
  for (const id of ["A", "B", "C", "D", "E", "F"]) await line.place(id);
  for (let started = 0; started < 4; started += 1) await line.start();
  const { code } = await createCodes(line.redis)();
  await line.orders.reserve({ orderId: "R", draft: { code } });
  // Sent by this server, or found as it is: with and without an event of its own.
  await line.orders.finish({ orderId: "A", barista: "Grace" });
  await Promise.all([
    line.orders.finish({ orderId: "A", barista: "Grace" }),
    line.orders.finish({ orderId: "B", barista: "Grace", result: '{"cups":2}' }),
    line.orders.fail({ orderId: "C", barista: "Grace", error: "broken", retry: true, retryAfterMs: 0 }),
    line.orders.extend({ orderId: "D", barista: "Grace" }),
    line.orders.cancel({ orderId: "E", canceller: "customer", reason: "customer" }),
    line.orders.watch({ orderId: "F", holder: "another" }),
    line.orders.watch({ orderId: "A", holder: "another" }),
    line.orders.complete({ orderId: "R", queue: "default", completion: { item: "latte" } }),
    line.start("c1"),
    line.start("c1"),
  ]);
  const args = line.runs.at(-1);
  const first = String(await line.send(args))
    .trimEnd()
    .split("\n");
  expect(first.map((each) => each.split("\t")[0])).toEqual([
    "finished",
    "finished",
    "failed_for_now",
    "extended",
    "cancelled",
    "watching",
    "final",
    "completed",
    "started",
    "started",
    "told",
  ]);
  const other = createOrders(line.redis, ORDER_SETTINGS);
  await Promise.all([
    other.finish({ orderId: "C" }),
    other.finish({ orderId: "D" }),
    other.cancel({ orderId: "F", canceller: "customer", reason: "customer" }),
  ]);
  const again = String(await line.send(args))
    .trimEnd()
    .split("\n");
  expect(again).toEqual(first);
});

test("of two runs of one number the first stands, whatever the second asks for", async () => {
  await using line = await Line.open();
  await line.place("A");
  const args = line.runs.at(-1) ?? [];
  const first = await line.send(args);
  const other = args.map((each) => (each === "A" ? "B" : each));
  expect(await line.changes(async () => expect(await line.send(other)).toBe(first))).toEqual({});
});

test("an older run than the slot's last one is refused, and changes nothing", async () => {
  await using line = await Line.open();
  await line.place("A");
  const args = line.runs.at(-1) ?? [];
  const older = [args[0] ?? "", 0, ...args.slice(2).map((each) => (each === "A" ? "B" : each))];
  expect(await line.changes(async () => expect(await line.send(older)).toBe("stale"))).toEqual({});
});

test("a server that is answered stale has its calls reject, each of them, and goes on", async () => {
  await using line = await Line.open();
  await line.place("A");
  const [slot = ""] = line.runs.at(-1) ?? [];
  await line.client.set(`${line.redis.keys.prefix}run:${slot}`, "1000\n\nplaced\tX\t0\t0\t0");
  const refused = await endings([line.place("B"), line.place("C")]);
  expect(refused).toEqual(refused.map(() => "Error: commit answered 1 lines for 2 operations"));
  expect(await endings([line.place("D")])).toEqual(["TypeError: a script answered stale"]);
  await line.client.del(`${line.redis.keys.prefix}run:${slot}`);
  expect(await line.place("E")).toEqual({ kind: "placed", orderId: "E" });
  expect(await line.state()).toMatchObject({ "waiting:default": "zset: A number 1, E number 2" });
});

test("what a given up run did for callers who have gone is undone, unless they can come back by a key", async () => {
  await using line = await Line.open();
  for (const id of ["A", "B"]) await line.place(id);
  line.fate = "is lost";
  const gone = [line.place("C"), line.place("D", "k"), line.start(), line.start("c1")];
  expect(await endings(gone)).toEqual(gone.map(() => "RedisAwayError: Redis does not answer"));
  expect(await line.state()).toMatchObject({ "order:A.status": "brewing", "order:C.status": "queued" });
  await line.recover();
  expect(await line.state()).toMatchObject({
    "order:A.status": "queued",
    "order:B.status": "brewing",
    "order:C.status": "cancelled",
    "order:C.reason": "customer_timeout",
    "order:D.status": "queued",
    "waiting:default": "zset: A number 1, D number 4",
    claims: "hash: c1 for B",
  });
});

test("what a given up run made final is notified once it is recalled", async () => {
  await using line = await Line.open();
  await line.place("A");
  await line.start();
  line.fate = "is lost";
  expect(await endings([line.orders.finish({ orderId: "A" })])).toEqual(["RedisAwayError: Redis does not answer"]);
  expect(line.finals).toEqual([]);
  await line.recover();
  expect(line.finals).toEqual(["A"]);
  expect(await line.state()).toMatchObject({ "order:A.status": "ready" });
});

test("a given up run that never reached Redis never runs, however late it arrives", async () => {
  await using line = await Line.open();
  await line.place("A");
  line.fate = "never arrives";
  expect(await endings([line.place("B"), line.start()])).toEqual(
    ["B", "start"].map(() => "RedisAwayError: Redis does not answer"),
  );
  const late = line.runs.at(-1);
  expect(await line.changes(() => line.recover())).toEqual({});
  expect(await line.changes(async () => expect(await line.send(late)).toBe("none"))).toEqual({});
  // The slot goes on, and the late run is an older one by then.
  for (const id of ["C", "D"]) await line.place(id);
  expect(await line.changes(async () => expect(["none", "stale"]).toContain(String(await line.send(late))))).toEqual(
    {},
  );
});

test("an operation that failed in a given up run keeps nothing else from being undone, and no slot for ever", async () => {
  await using line = await Line.open();
  await line.client.set(`${line.redis.keys.prefix}waiting:patio`, "no zset");
  line.fate = "is lost";
  for (let slot = 0; slot < 2; slot += 1) {
    const broken = { orderId: `broken-${slot}`, queue: "patio", draft: {} };
    expect(await endings([line.orders.place(broken), line.place(`whole-${slot}`)])).toHaveLength(2);
  }
  await line.recover();
  expect(await line.state()).toMatchObject({
    "order:whole-0.status": "cancelled",
    "order:whole-1.status": "cancelled",
  });
  expect(await line.place("A")).toEqual({ kind: "placed", orderId: "A" });
});

test("a run keeps its slot until Redis answers; calls that no slot takes in time have not run, and never will", async () => {
  await using line = await Line.open();
  line.fate = "never arrives";
  for (const id of ["A", "B"]) expect(await endings([line.place(id)])).toHaveLength(1);
  const calledAt = performance.now();
  const [outcome] = await Promise.allSettled([line.place("C")]);
  expect(outcome.status === "rejected" && outcome.reason instanceof RedisUnavailableError).toBe(true);
  expect(outcome.status === "rejected" && (outcome.reason as RedisUnavailableError).mayHaveRun).toBe(false);
  expect(performance.now() - calledAt).toBeGreaterThanOrEqual(200);
  expect(line.runs).toHaveLength(2);
  expect(await line.changes(() => line.recover())).toEqual({});
  expect(await line.place("D")).toEqual({ kind: "placed", orderId: "D" });
  await until(async () => (await line.state())["waiting:default"] === "zset: D number 1", "only D is queued");
});
