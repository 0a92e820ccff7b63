/** Owns the tests of script.ts: how scripts reach Redis, and how queries of one turn travel together. */
import { expect, test } from "bun:test";
import { createOrders } from "../../src/orders/orders.ts";
import { RedisUnavailableError } from "../../src/redis/unavailable.ts";
import { gathered, loadFunction, loadScript, type RunScript } from "../../src/redis/script.ts";
import { ORDER_SETTINGS } from "../support/orders.ts";
import { openTestShop, sharedRedis, TestRedis } from "../support/redis.ts";
import { endings } from "../support/settled.ts";
import { until } from "../support/until.ts";
import { parsing, type ParsedOrders } from "../support/wire.ts";

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
    this.orders = parsing(createOrders({ run: this.run, runWhenReconnected: () => {} }, ORDER_SETTINGS));
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

test("queries and changes of one turn have their own runs", async () => {
  using shop = await CountedShop.open();
  await Promise.all([shop.orders.find("A"), shop.orders.finish({ orderId: "A" }), shop.orders.find("B")]);
  // A query has an argument an order. A run has nine that all share, then a name, a count, and three of the one finish.
  expect(shop.runs.toSorted((one, other) => one - other)).toEqual([2, 9 + 2 + 3]);
});

test("more queries than Redis looks at in one go are split", async () => {
  using shop = await CountedShop.open();
  await Promise.all(idsTo(250).map((id) => shop.orders.find(id)));
  expect(shop.runs).toEqual([100, 100, 50]);
  shop.runs.length = 0;
  await Promise.all(idsTo(100).map((id) => shop.orders.find(id)));
  expect(shop.runs).toEqual([100]);
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
  expect(await client.script("EXISTS", loadScript("find-orders").id)).toEqual([1]);
  client.disconnect();
});

test("a Redis that has lost its functions is given them again, by several servers at once", async () => {
  const server = await TestRedis.start();
  const client = server.connect();
  using shop = await CountedShop.open(server);
  using other = await CountedShop.open(server);
  const placeAt = ({ orders }: CountedShop, orderId: string) => orders.place({ orderId, queue: "default", draft: {} });
  for (const round of ["1", "2", "3"]) {
    await client.function("FLUSH");
    const placed = await Promise.all([placeAt(shop, `A${round}`), placeAt(other, `B${round}`)]);
    expect(placed).toMatchObject([{ kind: "placed" }, { kind: "placed" }]);
  }
  client.disconnect();
  await server.stop();
});

test("libraries of other versions are dropped where they have become many, and others' libraries never", async () => {
  const server = await TestRedis.start();
  const client = server.connect();
  using shop = await CountedShop.open(server);
  const register = (name: string) =>
    client.function("LOAD", `#!lua name=${name}\nredis.register_function('${name}', function() end)`);
  const libraries = async () => JSON.stringify(await client.function("LIST")).match(/(?<="library_name",")\w+/g) ?? [];
  const own = loadFunction("commit").id;
  await register("guest");
  for (const version of [1, 2, 3, 4, 5, 6, 7]) await register(`longpour_commit_${version}`);
  await shop.orders.place({ orderId: "A", queue: "default", draft: {} });
  expect(await libraries()).toHaveLength(9);
  await client.function("DELETE", own);
  await register("longpour_commit_8");
  await shop.orders.place({ orderId: "B", queue: "default", draft: {} });
  await until(async () => (await libraries()).length < 9, "they are dropped");
  await until(async () => (await libraries()).length === 2, "all of them are");
  expect((await libraries()).toSorted()).toEqual(["guest", own]);
  client.disconnect();
  await server.stop();
});

test("the hash of a script is the one Redis gives it", async () => {
  const client = (await sharedRedis()).connect();
  const { id, source } = loadScript("find-orders");
  expect(await client.script("LOAD", source)).toBe(id);
  client.disconnect();
});

test("one query whose answer can't be read rejects alone", async () => {
  const queries: (readonly string[])[] = [];
  const find = gathered(
    async (ids) => {
      queries.push(ids);
      return ids.map((id) => `line of ${id}`);
    },
    (line) => {
      if (line === "line of B") throw new Error("not this one");
      return line.toUpperCase();
    },
  );
  expect(await endings([find("A"), find("B"), find("C")])).toEqual(["fulfilled", "Error: not this one", "fulfilled"]);
  expect(await Promise.all([find("A"), find("C")])).toEqual(["LINE OF A", "LINE OF C"]);
  expect(queries).toEqual([
    ["A", "B", "C"],
    ["A", "C"],
  ]);
});

test("queries that can't be asked all reject, and the next ones are asked anew", async () => {
  let isBroken = true;
  const find = gathered(
    async (ids) => {
      if (isBroken) throw new Error("broken");
      return ids;
    },
    (line) => line,
  );
  expect(await endings([find("A"), find("B")])).toEqual(["Error: broken", "Error: broken"]);
  isBroken = false;
  expect(await Promise.all([find("A"), find("B")])).toEqual(["A", "B"]);
});

test("a script holds each file that it needs once, before whatever needs it", () => {
  const { source } = loadFunction("commit");
  const names = [...source.matchAll(/^-- ([a-z-]+)$/gm)].map(([, name]) => name);
  expect(new Set(names).size).toBe(names.length);
  expect(names[0]).toBe("commit");
  const inOrder = ["keys", "order", "changes", "writes", "operation", "place"];
  expect(names.filter((name = "") => inOrder.includes(name))).toEqual(inOrder);
  for (const operation of ["cancel", "place", "start", "watch"]) {
    expect(names.indexOf(operation)).toBeGreaterThan(names.indexOf("operation"));
  }
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
    if (!(outcome.reason instanceof RedisUnavailableError)) throw outcome.reason;
    expect(String(outcome.reason.cause)).toContain("OOM command not allowed");
    expect(outcome.reason.mayHaveRun).toBe(false);
  }
  expect(await client.dbsize()).toBe(keysBefore);
  await client.config("SET", "maxmemory", "0");
  expect(await place(["A"])).toMatchObject([{ status: "fulfilled", value: { kind: "placed" } }]);
  client.disconnect();
  await server.stop();
});
