/**
 * Owns the tests of what scripts write of orders (`encode_json` in redis/lib/order.lua): the JSON that goes over the
 * wire.
 */
import { describe, expect, test } from "bun:test";
import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import fc from "fast-check";
import { Order, type Draft, type OrderJson } from "../../src/orders/order.ts";
import { createOrders, DEFAULT_QUEUE, type Orders } from "../../src/orders/orders.ts";
import { readEntry } from "../../src/events/event.ts";
import { loadScript } from "../../src/redis/script.ts";
import { readWireOrder } from "../support/http.ts";
import { ORDER_SETTINGS, TestOrders } from "../support/orders.ts";
import { parsed } from "../support/wire.ts";

const EVERYTHING = { fromMs: 0, beforeMs: 1e15, limit: 100 };
const DRAFT: Draft = { item: "latte", note: "oat milk", customer_id: "c1", customer_name: "Ada" };

/** As it is documented, with nothing else in it; TypeBox knows no format `uuid` of its own. */
const WireOrder = Type.Object(
  { ...Order.properties, order_id: Type.String({ pattern: "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$" }) },
  { additionalProperties: false },
);

const readOrder = (orderId: string, order: OrderJson): Order => parsed({ kind: "found", orderId, order }).order;

/** A shop whose verbs answer JSON as they do in the server. */
class JsonShop implements AsyncDisposable {
  readonly shop: TestOrders;
  readonly orders: Orders;
  /** What those are notified of who wait at this server. */
  readonly #notified = new Map<string, OrderJson>();

  private constructor(shop: TestOrders) {
    this.shop = shop;
    this.orders = createOrders(shop.redis, { ...ORDER_SETTINGS, maxAttempts: 1 });
    this.orders.onFinal({ notify: (orderId, json) => this.#notified.set(orderId, json) });
  }

  static async open(): Promise<JsonShop> {
    return new JsonShop(await TestOrders.open());
  }

  async placeOne(draft: Draft = {}): Promise<string> {
    const orderId = Bun.randomUUIDv7();
    await this.orders.place({ orderId, queue: DEFAULT_QUEUE, draft });
    return orderId;
  }

  async startOne(claimId: string = crypto.randomUUID(), barista = "Grace"): Promise<OrderJson> {
    const outcome = await this.orders.start({ claimId, barista, queue: DEFAULT_QUEUE });
    if (outcome.kind !== "started") throw new Error("no order to start");
    return outcome.order;
  }

  async change(verb: "finish" | "release" | "extend", orderId: string): Promise<OrderJson> {
    const outcome = await this.orders[verb]({ orderId });
    if (outcome.kind !== "changed") throw new Error(`${verb}: ${outcome.kind}`);
    return outcome.order;
  }

  async cancel(orderId: string): Promise<OrderJson> {
    const outcome = await this.orders.cancel({ orderId, canceller: "barista", reason: "machine_error" });
    if (outcome.kind !== "changed") throw new Error(`cancel: ${outcome.kind}`);
    return outcome.order;
  }

  async find(orderId: string): Promise<OrderJson> {
    const outcome = await this.orders.find(orderId);
    if (outcome.kind !== "found") throw new Error(outcome.kind);
    return outcome.order;
  }

  async search(customerId?: string): Promise<readonly OrderJson[]> {
    const outcome = await this.orders.search({ ...EVERYTHING, customerId });
    if (outcome.kind !== "page") throw new Error(outcome.kind);
    return outcome.orders;
  }

  /** What the order's events say, oldest first, each with what never changes of it. */
  async events(orderId: string): Promise<Order[]> {
    const { fixed } = await this.shop.record(orderId);
    const entries = await this.shop.client.xrange(this.shop.key("events"), "-", "+");
    return entries
      .flatMap((entry) => readEntry(entry, "0-0"))
      .filter((event) => event.orderId === orderId)
      .map(({ members }) => readOrder(orderId, `{"order_id":${JSON.stringify(orderId)},${fixed},${members}}`));
  }

  /** What those who wait for the order get: at this server, and by those who look for others, however often. */
  async notified(orderId: string): Promise<Order[]> {
    const jsons = [this.#notified.get(orderId) ?? ""];
    for (let looks = 0; looks < 2; looks += 1) {
      const line = String(await this.shop.redis.run(loadScript("read-finals"), [orderId]));
      const [outcome, id, json = ""] = line.split("\t");
      expect([outcome, id]).toEqual(["final", orderId]);
      jsons.push(json);
    }
    return jsons.map((json) => readOrder(orderId, json));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shop[Symbol.asyncDispose]();
  }
}

/** The order, checked against its schema, and the rules of its state. */
function read(json: OrderJson): Order {
  const value: unknown = JSON.parse(json);
  expect([...Value.Errors(WireOrder, value)]).toEqual([]);
  expect(Value.Check(WireOrder, value)).toBe(true);
  readWireOrder(value);
  // No member twice, no white space, numbers as JSON writes them.
  expect(JSON.stringify(value)).toBe(json);
  return value as Order;
}

describe("what a verb answers is an order on the wire, with the members of its state", () => {
  const always = ["price", "order_id", "number", "status", "item", "attempts", "placed_at"];
  const drafted = ["note", "customer_id", "customer_name"];
  const started = ["barista", "started_at"];

  const expectMembers = (json: OrderJson, members: readonly string[]): Order => {
    const order = read(json);
    expect(Object.keys(order).toSorted()).toEqual([...members].toSorted());
    return order;
  };

  test.each([
    ["all that may be said", DRAFT, drafted],
    ["nothing", {}, []],
    ["an empty note, which is none", { note: "" }, []],
    ["a name only", { customer_name: "Ada" }, ["customer_name"]],
    ["a note and an id", { note: "hot", customer_id: "c1" }, ["note", "customer_id"]],
  ] as const)("of a draft with %s", async (_what, draft: Draft, said) => {
    await using shop = await JsonShop.open();
    const id = await shop.placeOne(draft);
    const placed = expectMembers(await shop.find(id), [...always, ...said, "position"]);
    const { note: _note, ...others } = draft;
    expect(placed).toMatchObject({ order_id: id, number: 1, status: "queued", attempts: 0, position: 1, ...others });
    expect(placed.item).toBe(draft.item ?? "americano");
    await shop.shop.client.rpush(shop.shop.key("waits:default"), 90_000);
    const expected = expectMembers(await shop.find(id), [...always, ...said, "position", "eta_seconds"]);
    expect(expected.eta_seconds).toBeGreaterThan(60);
    expect(await shop.search()).toEqual([await shop.find(id)]);

    const brewing = [...always, ...said, ...started];
    expectMembers(await shop.startOne(), brewing);
    expectMembers(await shop.change("extend", id), brewing);
    const released = expectMembers(await shop.change("release", id), [...always, ...said]);
    expect(released).toMatchObject({ status: "queued", attempts: 1 });
    expect(expectMembers(await shop.startOne(), brewing)).toMatchObject({ status: "brewing", attempts: 2 });
    const ready = expectMembers(await shop.change("finish", id), [...brewing, "finished_at"]);
    expect(ready).toMatchObject({ status: "ready", attempts: 2, placed_at: placed.placed_at });
  });

  test("also of one that is cancelled: never started, while brewing, or because no barista finished it", async () => {
    await using shop = await JsonShop.open();
    const final = [...always, ...drafted, "reason", "finished_at"];
    const queued = await shop.placeOne(DRAFT);
    expect(expectMembers(await shop.cancel(queued), final)).toMatchObject({ status: "cancelled", attempts: 0 });
    const brewing = await shop.placeOne(DRAFT);
    await shop.startOne();
    expectMembers(await shop.cancel(brewing), [...final, ...started]);
    const released = await shop.placeOne(DRAFT);
    await shop.startOne();
    await shop.change("release", released);
    expect(expectMembers(await shop.cancel(released), final)).toMatchObject({ attempts: 1 });

    const [swept, passed] = [await shop.placeOne(DRAFT), await shop.placeOne(DRAFT)];
    await shop.startOne();
    await shop.startOne();
    const endLease = (id: string) => shop.shop.client.zadd(shop.shop.key("leases:default"), 1, id);
    await endLease(swept);
    await shop.orders.expire();
    await endLease(passed);
    expect(await shop.orders.start({ claimId: "c", barista: "Linus", queue: DEFAULT_QUEUE })).toEqual({
      kind: "empty",
    });
    for (const id of [swept, passed]) {
      const order = expectMembers(await shop.find(id), [...final, ...started]);
      expect(order).toMatchObject({ status: "cancelled", reason: "barista_timeout", attempts: 1 });
    }
  });
});

test("times are those of Redis's clock, in UTC with milliseconds, and follow each other", async () => {
  await using shop = await JsonShop.open();
  const nowMs = async (): Promise<number> => {
    const [seconds, micros] = await shop.shop.client.time();
    return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
  };
  const times: number[] = [await nowMs()];
  const id = await shop.placeOne();
  times.push(await nowMs());
  await shop.startOne();
  times.push(await nowMs());
  const order = read(await shop.change("finish", id));
  times.push(await nowMs());
  const [before = 0, placed = 0, started = 0, finished = 0] = times;
  for (const [text, from, to] of [
    [order.placed_at, before, placed],
    [order.started_at, placed, started],
    [order.finished_at, started, finished],
  ] as const) {
    const ms = Date.parse(text ?? "");
    expect(new Date(ms).toISOString()).toBe(text ?? "");
    expect(ms).toBeGreaterThanOrEqual(from);
    expect(ms).toBeLessThanOrEqual(to);
  }
});

describe("an order is written in the same words", () => {
  test("while it is brewing, by whatever answers it", async () => {
    await using shop = await JsonShop.open();
    const id = await shop.placeOne(DRAFT);
    const json = await shop.startOne("claim");
    expect(await shop.startOne("claim")).toBe(json);
    expect(await shop.find(id)).toBe(json);
    expect(await shop.change("extend", id)).toBe(json);
    expect(await shop.search("c1")).toEqual([json]);
    expect((await shop.events(id)).slice(1)).toEqual([read(json), read(json)]);
  });

  test.each(["ready", "cancelled"])("once it is %s, by whatever answers it, and however often", async (status) => {
    await using shop = await JsonShop.open();
    const id = await shop.placeOne(DRAFT);
    await shop.startOne();
    const close = () => (status === "ready" ? shop.change("finish", id) : shop.cancel(id));
    const json = await close();
    expect(await close()).toBe(json);
    expect(await shop.find(id)).toBe(json);
    expect(await shop.search()).toEqual([json]);
    const order = read(json);
    expect(await shop.notified(id)).toEqual([order, order, order]);
    expect((await shop.events(id)).at(-1)).toEqual(order);
  });

  test("in one event a change, each as the order was then", async () => {
    await using shop = await JsonShop.open();
    const id = await shop.placeOne(DRAFT);
    const { position: _position, ...placed } = read(await shop.find(id));
    const jsons = [await shop.startOne(), await shop.change("release", id), await shop.startOne()];
    jsons.push(await shop.change("finish", id));
    expect(await shop.events(id)).toEqual([placed, ...jsons.map(read)]);
  });
});

describe("what people write comes back as it was", () => {
  /** The draft and the barista's name, from all that shows them. */
  const expectKept = async (shop: JsonShop, draft: Draft, barista: string): Promise<void> => {
    const id = await shop.placeOne(draft);
    const found = JSON.parse(await shop.find(id)) as Order;
    const brewing = JSON.parse(await shop.startOne(crypto.randomUUID(), barista)) as Order;
    const json = await shop.change("finish", id);
    const ready = JSON.parse(json) as Order;
    const orders = [found, brewing, ready, ...(await shop.notified(id)), ...(await shop.events(id))];
    for (const order of orders) {
      const { item, note, customer_id, customer_name } = order;
      expect({ item, note, customer_id, customer_name }).toEqual({ item: "americano", ...draft } as never);
      if (order.status !== "queued") expect(order.barista).toBe(barista);
    }
    const searched = await shop.search(draft.customer_id);
    expect(searched).toContain(json);
    // Another barista learns who has it.
    expect(await shop.orders.finish({ orderId: id, barista: `not ${barista}` })).toEqual({
      kind: "conflict",
      status: "ready",
      barista,
    });
    expect(await shop.orders.finish({ orderId: id, barista })).toMatchObject({ kind: "changed" });
  };

  test.each([
    ["quotes", `"quoted" 'single' \`back\``],
    ["backslashes", String.raw`\ \\ \" \n \u0041 C:\new`],
    ["what looks like JSON", '{"order_id":"x","status":"ready"},[]'],
    ["what would end the JSON", '"}'],
    ["braces at both ends", "{}"],
    ["slashes and tags", "</script> // a/b"],
    ["percents and patterns of Lua", "%s %d %1 %% [[x]] --"],
    ["control characters", "\u0000\u0001\b\t\n\v\f\r\u001f\u007f"],
    ["a NUL at the end", "Ada\u0000"],
    ["lines of Redis's protocol", "\r\n$-1\r\n*2\r\n+OK\r\n"],
    ["accents and other scripts", "Zoë Ångström, 茶, قهوة, кофе, ☕"],
    ["emoji of several code points", "👩🏽‍🍳 🏳️‍🌈 🇯🇵"],
    ["separators that JavaScript once minded", "\u2028\u2029\ufeff\u0085\u00a0"],
    ["the ends of Unicode", "\ud7ff\ue000\uffff\u{10000}\u{10ffff}"],
    ["spaces around", "  Ada  "],
    ["digits only", "0012"],
    ["words of JSON", "null"],
  ])("%s", async (_what, text) => {
    await using shop = await JsonShop.open();
    await expectKept(shop, { note: text, customer_id: text, customer_name: text }, text);
  });

  test("half a character, which JSON can hold", async () => {
    await using shop = await JsonShop.open();
    const note = "half \ud83d of one";
    const id = await shop.placeOne({ note });
    expect(read(await shop.find(id)).note).toBe(note);
  });

  test("any text", async () => {
    await using shop = await JsonShop.open();
    const text = fc.string({ unit: "binary", minLength: 1, maxLength: 40, size: "max" });
    await fc.assert(
      fc.asyncProperty(text, text, text, text, async (note, customer_id, customer_name, barista) => {
        await expectKept(shop, { note, customer_id, customer_name }, barista);
      }),
      { numRuns: 200 },
    );
  });

  test("each order its own, of many in one tick", async () => {
    await using shop = await JsonShop.open();
    const texts = fc.sample(fc.string({ unit: "binary", minLength: 1, maxLength: 40 }), 300);
    const ids = await Promise.all(texts.map((text) => shop.placeOne({ note: text, customer_name: text })));
    const started = await Promise.all(texts.map((text) => shop.startOne(crypto.randomUUID(), text)));
    const finished = await Promise.all(ids.map((id) => shop.change("finish", id)));
    for (const jsons of [started, finished]) {
      const orders = jsons.map((json) => JSON.parse(json) as Order);
      expect(orders.map(({ order_id }) => order_id)).toEqual(ids);
      for (const name of ["note", "customer_name", "barista"] as const) {
        expect(orders.map((order) => order[name])).toEqual(texts);
      }
    }
  });
});
