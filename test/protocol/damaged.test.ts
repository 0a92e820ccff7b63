/** What becomes of orders whose record is damaged or gone, and of a shop whose keys were: one fault is one order's, and it heals. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Redis } from "ioredis";
import { DAMAGES, garble, spoil } from "../support/damage.ts";
import {
  ask,
  brew,
  cancelByCustomer,
  expectOrder,
  expectStatus,
  lookAtQueue,
  order,
  place,
  start,
  tell,
  untilHeld,
  type Answer,
  type WireOrder,
} from "../support/http.ts";
import { sharedRedis } from "../support/redis.ts";
import { startServer, type TestServer } from "../support/server.ts";
import {
  changeShop,
  choose,
  expectRefusal,
  expectReserved,
  patchShop,
  putCoffee,
  readCode,
  readMenu,
  reserve,
} from "../support/shop.ts";
import { parseRecord } from "../support/state.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(120_000);

let redis: Redis;
beforeAll(async () => {
  redis = (await sharedRedis()).connect();
});
afterAll(() => redis.disconnect());

/** A server of its own shop, and the names of that shop's keys. */
class Shop implements AsyncDisposable {
  readonly server: TestServer;
  readonly #prefix: string;

  private constructor(server: TestServer, name: string) {
    this.server = server;
    this.#prefix = `{${name}}:`;
  }

  static async open(environment: Record<string, string> = {}): Promise<Shop> {
    const name = `damaged-${crypto.randomUUID()}`;
    const relaxed = { LIMIT_CAPACITY: "10000", MAX_HELD_PER_ADDRESS: "10000" };
    return new Shop(await startServer({ SHOP: name, ...relaxed, ...environment }), name);
  }

  key(name: string): string {
    return this.#prefix + name;
  }

  record({ order_id }: Pick<WireOrder, "order_id">): string {
    return this.key(`order:${order_id}`);
  }

  async placeMany(count: number): Promise<WireOrder[]> {
    const placed: WireOrder[] = [];
    while (placed.length < count) placed.push(await place(this.server));
    return placed;
  }

  /** Customers who come back for their orders, and are held. */
  async hold(orders: readonly WireOrder[]): Promise<Promise<Answer>[]> {
    const before = (await lookAtQueue(this.server)).held;
    const held = orders.map(({ order_id }) => ask(`${this.server.customers}/order/${order_id}?wait`));
    await untilHeld(this.server, before + orders.length);
    return held;
  }

  /** Makes so many orders; resolves to their ids in the order in which they were given out. */
  async make(count: number): Promise<string[]> {
    const made: string[] = [];
    while (made.length < count) made.push((await brew(this.server, "wait=5")).order_id);
    return made;
  }

  async damaged(): Promise<DamagedView> {
    const answer = await ask(`${this.server.baristas}/damaged`);
    expectStatus(answer, 200);
    return answer.body as DamagedView;
  }

  /** Lines at level warn or above. */
  complaints(): readonly Record<string, unknown>[] {
    return this.server.log().filter(({ level }) => level !== "info" && level !== "debug");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    expect(await this.server.stop()).toBe(0);
  }
}

interface DamagedView {
  readonly orders: readonly { readonly order_id: string; readonly reason: string }[];
  readonly keys: readonly { readonly key: string; readonly type: string; readonly expected_type: string }[];
}

const idsOf = (orders: readonly { readonly order_id: string }[]) => orders.map(({ order_id }) => order_id);

interface Harmed {
  readonly order: WireOrder;
  /** Its record as it was, and as the damage left it. */
  readonly sound: Buffer;
  readonly left: Buffer;
}

/** Damages as many orders as there are ways to, each in another one. */
async function damageEach(shop: Shop, orders: readonly WireOrder[]): Promise<Harmed[]> {
  const harmed: Harmed[] = [];
  for (const [index, damage] of Object.values(DAMAGES).entries()) {
    const its = orders[index] as WireOrder;
    const sound = await redis.dumpBuffer(shop.record(its));
    await damage(redis, shop.record(its));
    harmed.push({ order: its, sound, left: await redis.dumpBuffer(shop.record(its)) });
  }
  return harmed;
}

const WAYS = Object.keys(DAMAGES).length;

describe(`orders with damaged records: ${Object.keys(DAMAGES).join(", ")}`, () => {
  test("while they are queued: all others get their coffee, their own customers 500, and staff see them", async () => {
    await using shop = await Shop.open();
    const placed = await shop.placeMany(WAYS + 4);
    const held = await shop.hold(placed);
    const harmed = await damageEach(shop, placed);
    const [broken, others] = [placed.slice(0, WAYS), placed.slice(WAYS)];

    expect(await shop.make(4)).toEqual(idsOf(others));
    for (const [index, answer] of (await Promise.all(held.slice(WAYS))).entries()) {
      expectOrder(answer, { order_id: others[index]?.order_id ?? "", status: "ready" });
    }
    for (const itsCustomer of held.slice(0, WAYS)) expectRefusal(await itsCustomer, 500, "order_damaged");
    expectStatus(await ask(`${shop.server.baristas}/start/`), 404);
    const found = (await ask(`${shop.server.baristas}/order/`)).body as { orders: WireOrder[] };
    expect(idsOf(found.orders)).toEqual(idsOf(others));

    const list = await shop.damaged();
    expect(idsOf(list.orders).toSorted()).toEqual(idsOf(broken).toSorted());
    for (const { reason } of list.orders) expect(reason).toMatch(/\w+ /);
    await until(async () => (await redis.xlen(shop.key("queue:default"))) === 0, "their stream entries are gone too");
    expect(await lookAtQueue(shop.server)).toMatchObject({ depth: 0, brewing: 0, damaged: WAYS, held: 0 });
    // Nothing of the records was touched.
    for (const { order: its, left } of harmed) expect(await redis.dumpBuffer(shop.record(its))).toEqual(left);
  });

  test("they are refused to all who ask for them, and the operator gets a line for each", async () => {
    await using shop = await Shop.open();
    const placed = await shop.placeMany(WAYS);
    await damageEach(shop, placed);
    const { customers, baristas } = shop.server;
    for (const { order_id } of placed) {
      expectRefusal(await ask(`${customers}/order/${order_id}`), 500, "order_damaged");
      expectRefusal(await ask(`${customers}/order/${order_id}?wait`), 500, "order_damaged");
      expectRefusal(await ask(`${customers}/order/${order_id}/events`), 500, "order_damaged");
      expectRefusal(await cancelByCustomer(shop.server, order_id), 500, "order_damaged");
      expectRefusal(await choose(shop.server, order_id, {}), 500, "order_damaged");
      expectRefusal(await ask(`${baristas}/order/${order_id}`), 500, "order_damaged");
      expectRefusal(await ask(`${baristas}/start/?order_id=${order_id}`), 500, "order_damaged");
      for (const verb of ["finish", "release", "extend", "cancel"] as const) {
        expectRefusal(await tell(shop.server, verb, order_id), 500, "order_damaged");
      }
    }
    const named = () => shop.complaints().flatMap(({ orders }) => (Array.isArray(orders) ? (orders as object[]) : []));
    const counted = () =>
      shop.complaints().reduce((sum, { damaged, orders }) => sum + (Array.isArray(orders) ? Number(damaged) : 0), 0);
    await until(() => counted() === WAYS, "each is counted, once");
    // Of those found at once, the first ten are named.
    expect(named().length).toBeGreaterThanOrEqual(10);
    expect(new Set(named().map((line) => JSON.stringify(line))).size).toBe(named().length);
    for (const { order_id } of placed) expect(JSON.stringify(shop.server.log())).not.toContain(order_id);
  });

  test("put right, they go back to their places, and are made", async () => {
    await using shop = await Shop.open();
    const placed = await shop.placeMany(WAYS + 1);
    const harmed = await damageEach(shop, placed);
    expect(await shop.make(1)).toEqual(idsOf(placed.slice(WAYS)));
    const later = await shop.placeMany(2);
    for (const { order: its, sound } of harmed) await redis.restore(shop.record(its), 0, sound, "REPLACE");
    await until(async () => (await shop.damaged()).orders.length === 0, "they are put back");
    expect(await shop.make(WAYS + 2)).toEqual(idsOf([...placed.slice(0, WAYS), ...later]));
    expect(await lookAtQueue(shop.server)).toMatchObject({ depth: 0, brewing: 0, damaged: 0 });
    await until(async () => (await redis.xlen(shop.key("queue:default"))) === 0, "nothing is left over");
  });

  test("while they are brewing: their leases are cleared away, the others' run out as ever", async () => {
    await using shop = await Shop.open({ LEASE_SECONDS: "1", MAX_ATTEMPTS: "1" });
    const placed = await shop.placeMany(WAYS + 1);
    for (const _ of placed) await start(shop.server);
    await damageEach(shop, placed);
    await until(async () => (await lookAtQueue(shop.server)).brewing === 0, "their leases are cleared away");
    const sound = placed[WAYS] as WireOrder;
    expectOrder(await ask(`${shop.server.customers}/order/${sound.order_id}`), { reason: "barista_timeout" });
    expect(idsOf((await shop.damaged()).orders).toSorted()).toEqual(idsOf(placed.slice(0, WAYS)).toSorted());
    const next = await shop.placeMany(1);
    expect(await shop.make(1)).toEqual(idsOf(next));
  });
});

test("a damaged order that is deleted leaves the list", async () => {
  await using shop = await Shop.open();
  const [broken] = await shop.placeMany(1);
  if (!broken) throw new Error("none");
  await garble(redis, shop.record(broken), { fixed: "" });
  expectRefusal(await ask(`${shop.server.customers}/order/${broken.order_id}`), 500, "order_damaged");
  await redis.del(shop.record(broken));
  await until(async () => (await shop.damaged()).orders.length === 0, "it has left the list");
});

test("a reservation that is damaged runs out for nobody else", async () => {
  await using shop = await Shop.open();
  await changeShop(shop.server, { customer_timeout_seconds: 2 });
  const { code } = await readCode(shop.server);
  const broken = await expectReserved(shop.server, { code });
  const gone = await expectReserved(shop.server, { code });
  const sound = await expectReserved(shop.server, { code });
  await garble(redis, shop.record(broken), { fixed: '"note":"' });
  await redis.del(shop.record(gone));
  await until(async () => (await redis.zcard(shop.key("reserved"))) === 0, "all have run out", 20_000);
  expectOrder(await ask(`${shop.server.customers}/order/${sound.order_id}`), { status: "cancelled" });
  expectRefusal(await choose(shop.server, broken.order_id, {}), 500, "order_damaged");
});

describe("records that are gone", () => {
  test("a brewing order's: others are started and finished at once, and nothing of it is left", async () => {
    await using shop = await Shop.open({ LEASE_SECONDS: "1", MAX_ATTEMPTS: "1" });
    const placed = await shop.placeMany(4);
    const brewing = await start(shop.server);
    await redis.del(shop.record(brewing));
    await until(async () => (await lookAtQueue(shop.server)).brewing === 0, "its lease is cleared away");
    expect(await shop.make(3)).toEqual(idsOf(placed.slice(1)));
    await until(async () => (await redis.xlen(shop.key("queue:default"))) === 0, "its stream entry is cleared away");
    expect(await redis.xpending(shop.key("queue:default"), "baristas")).toEqual([0, null, null, null]);
    expect(await redis.exists(shop.record(brewing))).toBe(0);
    expect(shop.complaints().filter(({ msg }) => String(msg).includes("can't be looked after"))).toEqual([]);
  });

  test("queued ones': they are passed over, by the next start as well", async () => {
    await using shop = await Shop.open();
    const placed = await shop.placeMany(6);
    for (const index of [0, 2, 3]) await redis.del(shop.record(placed[index] as WireOrder));
    expect(await shop.make(3)).toEqual(idsOf([placed[1], placed[4], placed[5]] as WireOrder[]));
    expectStatus(await ask(`${shop.server.baristas}/start/`), 404);
    await until(async () => (await redis.xlen(shop.key("queue:default"))) === 0, "their stream entries are gone");
  });

  test("all of a customer's open ones': they are not refused for them", async () => {
    await using shop = await Shop.open();
    await changeShop(shop.server, { max_open_per_customer: 2 });
    const draft = { customer_id: "ada" };
    const open = [await place(shop.server, draft), await place(shop.server, draft)];
    expectRefusal(await order(shop.server, draft), 409, "too_many_open");
    await redis.del(...open.map((one) => shop.record(one)));
    await place(shop.server, draft);
    await place(shop.server, draft);
    expectRefusal(await order(shop.server, draft), 409, "too_many_open");
  });
});

describe("what a queue has lost", () => {
  test("its stream, while 44 wait: they are given out in order, before those who come later", async () => {
    await using shop = await Shop.open();
    const placed = await shop.placeMany(44);
    const held = await shop.hold(placed);
    await redis.del(shop.key("queue:default"));
    const later = await shop.placeMany(3);
    const first = await start(shop.server);
    expectOrder(await tell(shop.server, "release", first.order_id), { status: "queued" });
    expect(await shop.make(47)).toEqual(idsOf([...placed, ...later]));
    for (const answer of await Promise.all(held)) expectOrder(answer, { status: "ready" });
    await until(async () => (await redis.xlen(shop.key("queue:default"))) === 0, "the stream is empty again");
    expect(await lookAtQueue(shop.server)).toMatchObject({ depth: 0, brewing: 0 });
  });

  test("its stream, while one is brewing and one was put back", async () => {
    await using shop = await Shop.open();
    const placed = await shop.placeMany(4);
    const [one, other] = [await start(shop.server, "barista=Grace"), await start(shop.server, "barista=Linus")];
    expectOrder(await tell(shop.server, "release", other.order_id));
    await redis.del(shop.key("queue:default"));
    expect(await shop.make(3)).toEqual(idsOf(placed.slice(1)));
    expectOrder(await tell(shop.server, "finish", one.order_id, "barista=Grace"), { status: "ready" });
  });

  test("one entry of its stream: its order keeps its turn", async () => {
    await using shop = await Shop.open();
    const placed = await shop.placeMany(4);
    const { place: its } = parseRecord((await redis.get(shop.record(placed[1] as WireOrder))) ?? "");
    expect(await redis.xdel(shop.key("queue:default"), `${its}-0`)).toBe(1);
    expect(await shop.make(4)).toEqual(idsOf(placed));
  });

  test("its consumer group: it is made again, and every order is given out once and in order", async () => {
    await using shop = await Shop.open();
    const placed = await shop.placeMany(6);
    const brewing = await start(shop.server, "barista=Grace");
    const released = await start(shop.server, "barista=Linus");
    expectOrder(await tell(shop.server, "release", released.order_id));
    await redis.xgroup("DESTROY", shop.key("queue:default"), "baristas");
    expect(await shop.make(5)).toEqual(idsOf(placed.slice(1)));
    expectOrder(await tell(shop.server, "finish", brewing.order_id, "barista=Grace"), { status: "ready" });
    expect(await redis.xlen(shop.key("queue:default"))).toBe(0);
  });

  test("its group, while a lease runs out", async () => {
    await using shop = await Shop.open({ LEASE_SECONDS: "1" });
    const [only] = await shop.placeMany(1);
    await start(shop.server);
    await redis.xgroup("DESTROY", shop.key("queue:default"), "baristas");
    expect(idsOf([await start(shop.server, "wait=10")])).toEqual(idsOf([only as WireOrder]));
  });

  test.each(["waiting:default", "leases:default"])("its index %s: it is made again from the stream", async (index) => {
    await using shop = await Shop.open();
    const placed = await shop.placeMany(5);
    const brewing = await start(shop.server, "barista=Grace");
    await redis.del(shop.key(index));
    await until(async () => {
      const { depth, brewing: started } = await lookAtQueue(shop.server);
      return depth === 4 && started === 1;
    }, "the index is whole again");
    expect(await shop.make(4)).toEqual(idsOf(placed.slice(1)));
    expectOrder(await tell(shop.server, "finish", brewing.order_id, "barista=Grace"), { status: "ready" });
  });

  test("strange entries in its stream are passed over", async () => {
    await using shop = await Shop.open();
    await redis.xadd(shop.key("queue:default"), "*", "what", "is this?");
    const placed = await shop.placeMany(2);
    await redis.xadd(shop.key("queue:default"), "*", "order_id", placed[0]?.order_id ?? "");
    expect(await shop.make(2)).toEqual(idsOf(placed));
    await until(async () => (await redis.xlen(shop.key("queue:default"))) === 0, "they are dropped");
  });
});

/** What a listener is answered, who goes away as soon as it is. */
async function listenBriefly(url: string): Promise<Answer> {
  const response = await fetch(url);
  if (response.status === 200) {
    await response.body?.cancel();
    return { status: 200, headers: {}, text: "", body: undefined };
  }
  const text = await response.text();
  return { status: response.status, headers: Object.fromEntries(response.headers), text, body: JSON.parse(text) };
}

/** Everything that a shop does, each with how it answers when all is well. */
const FUNCTIONS = {
  place: async ({ server }: Shop) =>
    await order(server, { customer_id: "ada" }, { headers: { Prefer: "respond-async" } }),
  look: async ({ server }: Shop, { order_id }: WireOrder) => await ask(`${server.customers}/order/${order_id}`),
  start: async ({ server }: Shop) => await ask(`${server.baristas}/start/?barista=Grace`),
  claim: async ({ server }: Shop) =>
    await ask(`${server.baristas}/start/?barista=Grace`, { headers: { "Idempotency-Key": crypto.randomUUID() } }),
  finish: async ({ server }: Shop, _queued: WireOrder, { order_id }: WireOrder) =>
    await tell(server, "finish", order_id),
  cancel: async ({ server }: Shop, { order_id }: WireOrder) => await tell(server, "cancel", order_id),
  search: async ({ server }: Shop) => await ask(`${server.baristas}/order/`),
  queue: async ({ server }: Shop) => await ask(`${server.baristas}/queue`),
  shop: async ({ server }: Shop) => await ask(`${server.customers}/shop`),
  menu: async ({ server }: Shop) => await ask(`${server.customers}/coffees`),
  code: async ({ server }: Shop) => await ask(`${server.baristas}/code`),
  reserve: async ({ server }: Shop, _queued: WireOrder, _brewing: WireOrder, code: string) =>
    await reserve(server, { code }),
  listen: async ({ server }: Shop, _queued: WireOrder, { order_id }: WireOrder) =>
    await listenBriefly(`${server.customers}/order/${order_id}/events`),
  staff: async ({ server }: Shop) => await listenBriefly(`${server.baristas}/events`),
  change: async ({ server }: Shop) => await patchShop(server, { open: true }),
} as const;
type FunctionName = keyof typeof FUNCTIONS;

/** Each of the shop's keys, and what can't be done while it holds a value of another type. All else can. */
const KEYS: Readonly<Record<string, readonly FunctionName[]>> = {
  claims: ["claim"],
  code: ["code", "reserve"],
  damaged: [],
  "delayed:default": ["queue", "shop", "change"],
  events: ["listen", "staff"],
  "events:marks": [],
  format: [],
  menu: ["place", "menu"],
  "numbers:date": ["place"],
  orders: ["place", "search", "reserve"],
  "orders:of:ada": ["place"],
  "open:of:ada": ["place"],
  queues: ["shop", "change"],
  "queue:default": ["place", "start", "claim"],
  reserved: ["shop", "change", "reserve"],
  settings: ["place", "shop", "menu", "code", "reserve", "change"],
  "spent:now": ["claim"],
  "waiting:default": ["place", "start", "claim", "queue", "shop", "change"],
  "waits:default": [],
  "leases:default": ["start", "claim", "queue", "shop", "change"],
};

describe.each(Object.entries(KEYS))("a value of another type under %s", (name, failing) => {
  test(`keeps the shop from: ${failing.join(", ") || "nothing"}; all heals when it is put right`, async () => {
    await using shop = await Shop.open();
    const { server } = shop;
    // The menu is kept in Redis once it was changed.
    const latte = (await readMenu(server)).find(({ id }) => id === "latte");
    const { id: _id, ...coffee } = latte ?? { id: "" };
    expectStatus(await putCoffee(server, "latte", coffee), 200);
    await changeShop(server, { drinks_per_code: 50, code_period_seconds: 86_400 });
    const { code } = await readCode(server);
    await expectReserved(server, { code });
    for (const _ of [1, 2]) {
      await place(server, { customer_id: "ada" });
      await brew(server, "barista=Grace");
    }
    const queue = [...(await shop.placeMany(4)), await place(server, { customer_id: "ada" })];
    const brewing = await start(server, "barista=Linus");
    const queued = queue[3] as WireOrder;

    const date = new Date().toISOString().slice(0, 10);
    const keys = name === "spent:now" ? spentKeys(shop) : [shop.key(name.replace("date", date))];
    const putRight = await Promise.all(keys.map((key) => spoil(redis, key)));

    const failed: string[] = [];
    const placedMeanwhile: string[] = [];
    for (const [each, act] of Object.entries(FUNCTIONS)) {
      const answer = await act(shop, queued, brewing, code);
      if (answer.status >= 400) {
        expectRefusal(answer, 500, "shop_damaged");
        failed.push(each);
      } else if (each === "place") {
        placedMeanwhile.push(expectOrder(answer, {}, 202).order_id);
      }
    }
    expect(failed.toSorted()).toEqual([...failing].toSorted());
    if (name !== "spent:now" && name !== "orders:of:ada" && name !== "open:of:ada") {
      await until(() => complaintsOf(shop).length > 0, "an operator is told");
      expect(complaintsOf(shop)).toHaveLength(1);
    }
    for (const mend of putRight) await mend();

    // As if nothing had been.
    await until(async () => (await shop.damaged()).keys.length === 0, "nothing is damaged");
    const rest = [...queue.map(({ order_id }) => order_id), ...placedMeanwhile].filter(
      (id) => id !== queued.order_id && id !== brewing.order_id,
    );
    const started = rest.splice(0, ["start", "claim"].filter((each) => !failed.includes(each)).length);
    for (const id of started) expectOrder(await tell(server, "finish", id), { status: "ready" });
    rest.push((await place(server, { customer_id: "ada" })).order_id);
    expect(await shop.make(rest.length)).toEqual(rest);
    expectOrder(await ask(`${server.customers}/order/${brewing.order_id}`), { status: "ready" });
    expectOrder(await ask(`${server.customers}/order/${queued.order_id}`), { status: "cancelled" });
    await until(async () => {
      const { depth, brewing: left } = await lookAtQueue(server);
      return depth === 0 && left === 0 && (await redis.xlen(shop.key("queue:default"))) === 0;
    }, "nothing is left over");
    await expectReserved(server, { code });
  });
});

/** The names under which spent claims stand now and soon. */
function spentKeys(shop: Shop): string[] {
  const period = Math.floor(Date.now() / 10_000);
  return [-1, 0, 1].map((ahead) => shop.key(`spent:${period + ahead}`));
}

function complaintsOf(shop: Shop): readonly Record<string, unknown>[] {
  return shop.complaints().filter(({ msg }) => String(msg).startsWith("a key of the shop holds"));
}

test("a value of another type under an order's bell keeps nobody from their coffee", async () => {
  await using shop = await Shop.open();
  const placed = await shop.placeMany(6);
  for (const one of [placed[0], placed[3]] as WireOrder[]) await redis.set(shop.key(`bell:${one.order_id}`), "no list");
  const held = await shop.hold(placed);
  expect(await shop.make(6)).toEqual(idsOf(placed));
  for (const answer of await Promise.all(held)) expectOrder(answer, { status: "ready" });
});

test("a value of another type under an Idempotency-Key or a bucket fails who needs it, and nobody else", async () => {
  await using shop = await Shop.open();
  const key = crypto.randomUUID();
  await redis.rpush(shop.key(`once:${key}`), "no string");
  const asking = { headers: { Prefer: "respond-async", "Idempotency-Key": key } };
  expectRefusal(await order(shop.server, {}, asking), 500, "shop_damaged");
  await place(shop.server);
  await redis.del(shop.key(`once:${key}`));
  const placed = expectOrder(await order(shop.server, {}, asking), {}, 202);
  expect(expectOrder(await order(shop.server, {}, asking), {}, 202).order_id).toBe(placed.order_id);

  await redis.del(shop.key("bucket:order:127.0.0.1"));
  await redis.set(shop.key("bucket:order:127.0.0.1"), "no hash");
  expectRefusal(await order(shop.server), 500, "shop_damaged");
  await place(shop.server, {}, { localAddress: "127.0.0.2" });
  await redis.del(shop.key("bucket:order:127.0.0.1"));
  await place(shop.server);
});
