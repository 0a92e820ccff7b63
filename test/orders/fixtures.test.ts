/**
 * Owns the tests of stored formats: a shop that an older version left behind is to this one as if it had made it
 * itself. Two shops that were made alike, one stored and one live, are asked for the same: the answers and the keys
 * differ in times only.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createHistory } from "../../src/events/history.ts";
import { createOrders, type Orders } from "../../src/orders/orders.ts";
import { loadScript } from "../../src/redis/script.ts";
import { dump, keysOf, load, withoutTimes, type Shop } from "../fixtures/keys.ts";
import {
  choiceOf,
  claimOf,
  CODE,
  CUSTOMER,
  HOLDER,
  IDS,
  LASTING,
  makeShop,
  placementOf,
  QUEUES,
  reservationOf,
} from "../fixtures/shop.ts";
import stored from "../fixtures/format-1.json" with { type: "json" };
import { createMenu } from "../../src/shop/menu.ts";
import { createShop } from "../../src/shop/settings.ts";
import { TestOrders } from "../support/orders.ts";
import { LINES, type State } from "../support/state.ts";

setDefaultTimeout(60_000);

const FIXTURE = stored as unknown as Shop;
const NAMES = Object.keys(IDS) as (keyof typeof IDS)[];
const NEW_ID = "01938a5e-7c1b-7f3e-9a52-000000000099";

/** A shop that can be put back to what it was. */
class Exhibit {
  readonly shop: TestOrders;
  readonly #kept: string;
  #names: readonly string[] = [];

  constructor(shop: TestOrders) {
    this.shop = shop;
    this.#kept = `kept-${shop.prefix}`;
  }

  /** Keeps what the shop is now. */
  async keep(): Promise<void> {
    this.#names = await keysOf(this.shop.client, this.shop.prefix);
    await this.#copy(this.shop.prefix, this.#kept);
  }

  async reset(): Promise<void> {
    const { client, prefix } = this.shop;
    const keys = await client.keys(`${prefix.replace("{", "\\{")}*`);
    if (keys.length > 0) await client.del(...keys);
    await this.#copy(this.#kept, prefix);
  }

  async #copy(from: string, to: string): Promise<void> {
    await Promise.all(this.#names.map((name) => this.shop.client.copy(from + name, to + name)));
  }
}

let old: Exhibit;
let live: Exhibit;

beforeAll(async () => {
  [old, live] = [new Exhibit(await TestOrders.open()), new Exhibit(await TestOrders.open())];
  await makeShop(live.shop);
  await load(old.shop.client, old.shop.prefix, FIXTURE);
  // Orders of the same day, as far as their numbers go: they go on alike.
  const [then, today] = [await numbersOf(old.shop), await numbersOf(live.shop)];
  if (then !== today) await old.shop.client.rename(old.shop.key(then), old.shop.key(today));
  await live.keep();
  await old.keep();
});
afterAll(async () => {
  for (const { shop } of [old, live]) await shop[Symbol.asyncDispose]();
});

/** The key that counts the day's orders. */
async function numbersOf({ client, prefix }: TestOrders): Promise<string> {
  const key = (await keysOf(client, prefix)).find((name) => name.startsWith("numbers:"));
  if (key === undefined) throw new Error("no order has a number");
  return key;
}

test("what was loaded is what was stored", async () => {
  await using shop = await TestOrders.open();
  await load(shop.client, shop.prefix, FIXTURE);
  expect(await dump(shop.client, shop.prefix)).toEqual(FIXTURE);
});

/** Versions before kept lists of what their consumer groups had given out. */
function withoutPending(shop: Shop): Shop {
  return Object.fromEntries(
    Object.entries(shop).map(([key, content]) => {
      if (!("stream" in content) || !content.stream.given) return [key, content];
      const given = { ...content.stream.given, pending: {} };
      return [key, { ...content, stream: { ...content.stream, given } }];
    }),
  );
}

test("this version writes what is stored, line by line and key by key", async () => {
  await live.reset();
  const written = withoutTimes(await dump(live.shop.client, live.shop.prefix));
  const wanted = withoutTimes(withoutPending(FIXTURE));
  expect(Object.keys(written)).toEqual(Object.keys(wanted));
  for (const [key, content] of Object.entries(wanted)) expect({ key, ...written[key] }).toEqual({ key, ...content });
});

test("the fixture has an order in each state, and each line of a record is used", () => {
  const records = NAMES.map((name) => {
    const content = FIXTURE[`order:${IDS[name]}`];
    return content && "lines" in content ? content.lines : [];
  });
  expect(records.map((lines) => lines.length)).toEqual(NAMES.map(() => LINES.length));
  const values = (line: (typeof LINES)[number]): Set<string> =>
    new Set(records.map((lines) => lines[LINES.indexOf(line)] ?? ""));
  expect(values("format")).toEqual(new Set(["1"]));
  expect(values("status")).toEqual(new Set(["reserved", "queued", "brewing", "ready", "cancelled"]));
  const reasons = ["customer", "barista", "customer_timeout", "barista_timeout", "payment_failed", "machine_error"];
  expect(values("reason")).toEqual(new Set(["", ...reasons]));
  for (const line of LINES) if (line !== "format") expect(values(line).size).toBeGreaterThan(1);
});

/**
 * A state without what the clock decides: how those of one millisecond stand in an index of times, and which of two
 * sets remembers a spent claim.
 */
function untied({ "spent:now": _spent, ...state }: State): State {
  const sort = (line: string): string => {
    const members = line.split(/: |, /).slice(1);
    return line.startsWith("zset") && members.every((one) => one.endsWith(" time")) ? members.toSorted().join() : line;
  };
  return Object.fromEntries(Object.entries(state).map(([key, line]) => [key, sort(line)]));
}

/** Does the same in both shops: the answers, and then all keys, are the same. Returns the answers. */
async function expectSame<Answer>(act: (shop: TestOrders, orders: Orders) => Promise<Answer>): Promise<Answer> {
  const outcomes: { answers: Answer; state: State }[] = [];
  for (const exhibit of [old, live]) {
    await exhibit.reset();
    const orders = createOrders(exhibit.shop.redis, LASTING);
    const answers = await act(exhibit.shop, orders);
    orders.close();
    outcomes.push({ answers: withoutTimes(answers), state: untied(await exhibit.shop.state()) });
  }
  const [ofOld, ofLive] = outcomes;
  if (!ofOld || !ofLive) throw new Error("nothing was asked");
  expect(ofOld).toEqual(ofLive);
  return ofOld.answers;
}

/** Asks for each order in turn: its name, and what came of it. */
async function sweep(ask: (orderId: string, name: (typeof NAMES)[number]) => Promise<{ kind: string }>) {
  const answers: { name: string; kind: string }[] = [];
  for (const name of NAMES) answers.push({ name, ...(await ask(IDS[name], name)) });
  return answers;
}

type Ask = (orders: Orders, orderId: string, name: (typeof NAMES)[number]) => Promise<{ kind: string }>;
const DEFAULT = "default";

/** Each operation, and the outcomes that it has among all orders. */
const SWEEPS: readonly [string, Ask, readonly string[]][] = [
  ["find", (orders, id) => orders.find(id), ["found"]],
  ["watch", (orders, orderId) => orders.watch({ orderId, holder: HOLDER }), ["watching", "final"]],
  [
    "place, joined by its Idempotency-Key",
    (orders, orderId, name) => {
      const idempotencyKey = `once-${orderId}`;
      return orders.place({
        ...placementOf(name),
        orderId: `${orderId.slice(0, -3)}9${orderId.slice(-2)}`,
        idempotencyKey,
      });
    },
    ["placed", "joined", "mismatch"],
  ],
  ["place, sent again", (orders, _id, name) => orders.place(placementOf(name)), ["placed"]],
  [
    "place, another body under its Idempotency-Key",
    (orders, orderId) =>
      orders.place({ orderId: NEW_ID, queue: DEFAULT, draft: { note: "?" }, idempotencyKey: `once-${orderId}` }),
    ["placed", "mismatch"],
  ],
  [
    "reserve, joined by its Idempotency-Key",
    (orders, _id, name) => orders.reserve({ ...reservationOf(name), orderId: NEW_ID }),
    ["reserved", "mismatch"],
  ],
  [
    "reserve, sent again",
    (orders, _id, name) => orders.reserve({ ...reservationOf(name), idempotencyKey: undefined }),
    ["reserved"],
  ],
  ["complete", (orders, _id, name) => orders.complete(choiceOf(name)), ["changed", "conflict"]],
  [
    "complete, another choice",
    (orders, orderId) => orders.complete({ orderId, queue: DEFAULT, completion: { item: "tea" } }),
    ["refused", "conflict"],
  ],
  [
    "start, chosen",
    (orders, orderId) => orders.start({ orderId, barista: "Ada", queue: DEFAULT, claimId: `new-${orderId}` }),
    ["started", "conflict"],
  ],
  [
    "start, under the claim of before",
    (orders, orderId) => orders.start({ barista: "Gräce “G”", queue: DEFAULT, claimId: claimOf(orderId) }),
    ["started", "empty"],
  ],
  [
    "start, after a finish",
    (orders, orderId) => orders.start({ barista: "Gräce “G”", queue: "machines", after: orderId }),
    ["started", "empty"],
  ],
  ["start, the next", (orders) => orders.start({ barista: "Ada", queue: DEFAULT }), ["started", "empty"]],
  ["finish", (orders, orderId) => orders.finish({ orderId, result: '{"cups":1}' }), ["changed", "conflict"]],
  ["finish, by Linus", (orders, orderId) => orders.finish({ orderId, barista: "Linus" }), ["changed", "conflict"]],
  [
    "fail, and try again",
    (orders, orderId) => orders.fail({ orderId, error: "jam", retry: true, retryAfterMs: 0 }),
    ["changed", "conflict"],
  ],
  [
    "fail, and try again later",
    (orders, orderId) => orders.fail({ orderId, error: "jam", retry: true, retryAfterMs: 3_600_000 }),
    ["changed", "conflict"],
  ],
  [
    "fail for good",
    (orders, orderId) => orders.fail({ orderId, error: "jam", retry: false, retryAfterMs: 0 }),
    ["changed", "conflict"],
  ],
  ["release", (orders, orderId) => orders.release({ orderId }), ["changed", "conflict"]],
  ["extend", (orders, orderId) => orders.extend({ orderId }), ["changed", "conflict"]],
  [
    "cancel, by the customer",
    (orders, orderId) => orders.cancel({ orderId, canceller: "customer", reason: "customer" }),
    ["changed", "conflict"],
  ],
  [
    "cancel, by a barista",
    (orders, orderId) => orders.cancel({ orderId, canceller: "barista", reason: "payment_failed" }),
    ["changed", "conflict"],
  ],
];

test.each(SWEEPS)("%s, of each order", async (_operation, ask, kinds) => {
  const answers = await expectSame((_shop, orders) => sweep((id, name) => ask(orders, id, name)));
  expect(new Set(answers.map(({ kind }) => kind))).toEqual(new Set(kinds));
});

test("expire and requeue: what is due is cancelled, or offered again", async () => {
  const [due, ...found] = await expectSame(async (_shop, orders) => [
    await orders.expire(),
    await orders.find(IDS["reserved, its time over"]),
    await orders.find(IDS["brewing, its last lease over"]),
    await orders.start({ barista: "Ada", queue: DEFAULT, orderId: IDS["queued and due now"] }),
    await orders.expire(),
  ]);
  expect(due).toEqual({ nextMs: 0, cancelled: 2 });
  expect(found).toMatchObject([
    { status: "cancelled" },
    { status: "cancelled" },
    { kind: "started" },
    { cancelled: 0 },
  ]);
});

describe("queries", () => {
  const EVERYTHING = { fromMs: 0, beforeMs: 1e15, limit: 100 };

  test("search: all, by status, by customer, in pages", async () => {
    const pages = await expectSame(async (_shop, orders) => [
      await orders.search(EVERYTHING),
      await orders.search({ ...EVERYTHING, customerId: CUSTOMER }),
      await orders.search({ ...EVERYTHING, limit: 5, cursor: IDS.queued }),
      await orders.search({ ...EVERYTHING, status: "reserved" }),
      await orders.search({ ...EVERYTHING, status: "queued" }),
      await orders.search({ ...EVERYTHING, status: "brewing" }),
      await orders.search({ ...EVERYTHING, status: "ready" }),
      await orders.search({ ...EVERYTHING, status: "cancelled" }),
    ]);
    expect(pages.map((page) => (page.kind === "page" ? page.orders.length : 0))).toEqual([25, 3, 5, 2, 9, 5, 3, 6]);
  });

  test("how long the queues are, and how busy the shop", async () => {
    const [measures] = await expectSame(async (shop, orders) => [
      await Promise.all(QUEUES.map((queue) => orders.measure(queue))),
      await createShop(shop.redis, DEFAULT).read(),
      await createMenu(shop.redis).list(),
      await shop.redis.run(loadScript("current-code"), ["?"]),
    ]);
    expect(measures).toMatchObject([
      { depth: 8, brewing: 5, damaged: 0 },
      { depth: 1, brewing: 0, damaged: 0 },
    ]);
  });

  test("what lanes and baristas read", async () => {
    const ids = [...Object.values(IDS), NEW_ID];
    const [finals, bells] = await expectSame(async (shop) => [
      await shop.redis.run(loadScript("read-finals"), ids),
      await shop.redis.run(loadScript("find-bells"), ids),
      // (Without how long it is to the next one.)
      ((await shop.redis.run(loadScript("due-orders"), [LASTING.maxAttempts])) as unknown[]).slice(1),
      await shop.redis.run(loadScript("read-fixed"), ids),
    ]);
    expect(String(finals).split("\n")).toHaveLength(10);
    expect(bells).toBe("");
  });

  test("nothing is damaged, uneven or to be forgotten", async () => {
    const [inspection, ...mendings] = await expectSame(async (_shop, orders) => [
      await orders.inspect(100),
      ...(await Promise.all(QUEUES.map((queue) => orders.mend(queue)))),
      await orders.forget(""),
      await orders.inspect(100),
    ]);
    expect(inspection).toEqual({ keys: [], orders: [], unevenQueues: [] });
    expect(mendings.slice(0, 2)).toEqual([
      { dropped: 0, restored: 0 },
      { dropped: 0, restored: 0 },
    ]);
  });

  test("the events of everything, and of each order", async () => {
    const [everything, ...own] = await expectSame(async (shop) => {
      const history = createHistory(shop.redis.run);
      return [
        await Promise.all([
          history.readAfter("0-0", {}),
          history.readAfter("0-0", { types: ["shop.changed", "menu.changed"] }),
        ]),
        ...(await Promise.all(Object.values(IDS).map((orderId) => history.readAfter("0-0", { orderId })))),
      ];
    });
    expect(everything).toMatchObject([{ isMissing: false }, { isMissing: false }]);
    expect(own).toHaveLength(NAMES.length);
    expect(JSON.stringify(everything)).toContain("order.released");
  });
});

test("the code of before opens a reservation", async () => {
  const outcome = await expectSame((_shop, orders) => orders.reserve({ orderId: NEW_ID, draft: { code: CODE } }));
  expect(outcome.kind).toBe("reserved");
});
