/** Owns the tests of script.ts: how scripts reach Redis, and how calls of one tick travel together. */
import { expect, test } from "bun:test";
import { createOrders } from "../../src/orders/verbs.ts";
import { RedisAwayError } from "../../src/redis/away.ts";
import { batched, loadScript, type RunScript } from "../../src/redis/script.ts";
import { openTestShop, sharedRedis, TestRedis } from "../support/redis.ts";
import { parsing, type ParsedOrders } from "../support/wire.ts";

const SETTINGS = { leaseSeconds: 900, maxAttempts: 3, retentionHours: 1 };

/** The verbs of a shop of its own, and how many arguments each run of a script had. */
class CountedShop implements Disposable {
  readonly runs: number[] = [];
  readonly orders: ParsedOrders;
  readonly run: RunScript;
  readonly #close: () => void;

  private constructor(run: RunScript, close: () => void) {
    this.run = (script, args) => {
      this.runs.push(args.length);
      return run(script, args);
    };
    this.orders = parsing(createOrders({ run: this.run, later: () => {} }, SETTINGS));
    this.#close = close;
  }

  static async open(server?: TestRedis): Promise<CountedShop> {
    const { redis } = await openTestShop(server);
    return new CountedShop(redis.run, () => redis.close());
  }

  [Symbol.dispose](): void {
    this.#close();
  }
}

const idsTo = (count: number) => Array.from({ length: count }, (_, index) => `order-${index}`);

test("calls of one tick travel in one run, also those made after a promise resolved", async () => {
  using shop = await CountedShop.open();
  const later = Promise.resolve().then(() => shop.orders.find("C"));
  await Promise.all([shop.orders.find("A"), shop.orders.find("B"), later]);
  expect(shop.runs).toEqual([3]);
  await shop.orders.find("D");
  expect(shop.runs).toEqual([3, 1]);
});

test("each script has its own runs", async () => {
  using shop = await CountedShop.open();
  await Promise.all([shop.orders.find("A"), shop.orders.finish({ orderId: "A" }), shop.orders.find("B")]);
  // Finish has one argument that all share, and two an order.
  expect(shop.runs).toEqual([2, 3]);
});

test("more calls than a batch holds are split", async () => {
  using shop = await CountedShop.open();
  await Promise.all(idsTo(300).map((id) => shop.orders.find(id)));
  expect(shop.runs).toEqual([...Array.from({ length: 12 }, () => 24), 12]);
  shop.runs.length = 0;
  await Promise.all(idsTo(24).map((id) => shop.orders.find(id)));
  expect(shop.runs).toEqual([24]);
});

test("each call gets its own outcome, in whatever order they came", async () => {
  using shop = await CountedShop.open();
  const ids = idsTo(200);
  const placed = await Promise.all(
    ids.map((orderId) => shop.orders.place({ orderId, queue: "default", draft: { note: orderId } })),
  );
  expect(placed).toEqual(ids.map((orderId) => ({ kind: "placed", orderId })));
  const backwards = ids.toReversed().flatMap((id) => [id, `not ${id}`]);
  const found = await Promise.all(backwards.map((id) => shop.orders.find(id)));
  expect(found.map((outcome) => (outcome.kind === "found" ? outcome.order.note : outcome.kind))).toEqual(
    ids.toReversed().flatMap((id) => [id, "unknown"]),
  );
});

test("a Redis that has forgotten the scripts is sent them again", async () => {
  using shop = await CountedShop.open();
  const client = (await sharedRedis()).connect();
  await shop.orders.place({ orderId: "A", queue: "default", draft: {} });
  await client.script("FLUSH");
  const found = await Promise.all([shop.orders.find("A"), shop.orders.find("B")]);
  expect(found).toMatchObject([{ kind: "found", order: { order_id: "A" } }, { kind: "unknown" }]);
  expect(await client.script("EXISTS", loadScript("find-order").sha1)).toEqual([1]);
  client.disconnect();
});

test("the hash of a script is the one Redis gives it", async () => {
  const client = (await sharedRedis()).connect();
  const { sha1, source } = loadScript("start-order");
  expect(await client.script("LOAD", source)).toBe(sha1);
  client.disconnect();
});

test("one item that fails rejects alone, and says which script failed", async () => {
  using shop = await CountedShop.open();
  const find = batched<string, string>(shop.run, {
    script: loadScript("find-order"),
    shared: [],
    encode: (id) => [id],
    decode: (kind, rest) => {
      if (rest.length > 0) throw new Error("not this one");
      return kind;
    },
  });
  await shop.orders.place({ orderId: "A", queue: "default", draft: {} });
  expect(await Promise.allSettled([find("B"), find("A"), find("C")])).toMatchObject([
    { status: "fulfilled", value: "unknown" },
    { status: "rejected", reason: { message: "not this one" } },
    { status: "fulfilled", value: "unknown" },
  ]);
});

test("a script that Redis refuses for long rejects all its calls, writes nothing, and the next ones are tried anew", async () => {
  const server = await TestRedis.start();
  const client = server.connect();
  using shop = await CountedShop.open(server);
  const place = (ids: readonly string[]) =>
    Promise.allSettled(ids.map((orderId) => shop.orders.place({ orderId, queue: "default", draft: {} })));
  const keysBefore = await client.dbsize();
  await client.config("SET", "maxmemory", "1");
  const refused = await place(["A", "B"]);
  for (const outcome of refused) {
    if (outcome.status === "fulfilled") throw new Error("not refused");
    if (!(outcome.reason instanceof RedisAwayError)) throw outcome.reason;
    expect(String(outcome.reason.cause)).toContain("OOM command not allowed");
    expect(outcome.reason.mayHaveRun).toBe(false);
  }
  expect(await client.dbsize()).toBe(keysBefore);
  await client.config("SET", "maxmemory", "0");
  expect(await place(["A"])).toMatchObject([{ status: "fulfilled", value: { kind: "placed" } }]);
  client.disconnect();
  await server.stop();
});
