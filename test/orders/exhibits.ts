/**
 * Owns the shops that the tests of stored formats compare: one that an older version left behind, and one of the same
 * orders made live.
 *
 * **Invariants**
 * - Both are put back to what they were before each comparison.
 * - What the clock decides is no difference.
 */
import { expect } from "bun:test";
import format1 from "../fixtures/format-1.json" with { type: "json" };
import format2 from "../fixtures/format-2.json" with { type: "json" };
import { createOrders, type Orders } from "../../src/orders/orders.ts";
import { loadScript } from "../../src/redis/script.ts";
import { keysOf, load, withoutTimes, type Shop } from "../fixtures/keys.ts";
import { IDS_2, makeMore } from "../fixtures/shop-2.ts";
import { IDS, LASTING, makeShop } from "../fixtures/shop.ts";
import { TestOrders } from "../support/orders.ts";
import type { State } from "../support/state.ts";

/** What is stored of a format. */
export interface Stored {
  readonly fixture: Shop;
  /** The id of each order. */
  readonly ids: Readonly<Record<string, string>>;
  readonly queues: readonly string[];
  readonly make: (shop: TestOrders) => Promise<void>;
  /** Keys that the format did not have. */
  readonly without: readonly string[];
  /** Settings that the format did not know: neither they nor events name them. */
  readonly withoutSettings: readonly string[];
}

export const FORMATS: Readonly<Record<"1" | "2", Stored>> = {
  1: {
    fixture: format1 as unknown as Shop,
    ids: IDS,
    queues: ["default", "machines"],
    make: makeShop,
    without: ["dead"],
    withoutSettings: ["payment", "payment_timeout_seconds", "currency"],
  },
  2: {
    fixture: format2 as unknown as Shop,
    ids: { ...IDS, ...IDS_2 },
    queues: ["default", "machines", "thumbs"],
    make: async (shop) => {
      await makeShop(shop);
      await makeMore(shop);
    },
    without: [],
    withoutSettings: [],
  },
};

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

/** The key that counts the day's orders. */
async function numbersOf({ client, prefix }: TestOrders): Promise<string> {
  const key = (await keysOf(client, prefix)).find((name) => name.startsWith("numbers:"));
  if (key === undefined) throw new Error("no order has a number");
  return key;
}

/** A stored shop and a live one. */
export class Comparison implements AsyncDisposable {
  readonly old: Exhibit;
  readonly live: Exhibit;
  readonly #settings: RegExp | null;

  private constructor({ withoutSettings }: Stored, old: Exhibit, live: Exhibit) {
    this.old = old;
    this.live = live;
    const names = withoutSettings.join("|");
    // (What is compared may be JSON in a string, where quotes stand behind backslashes.)
    this.#settings = names === "" ? null : new RegExp(`,\\\\*"(?:${names})\\\\*":(?:\\\\*"[a-z]+\\\\*"|\\d+)`, "g");
  }

  static async open(stored: Stored): Promise<Comparison> {
    const { fixture, make, without } = stored;
    const [old, live] = [new Exhibit(await TestOrders.open()), new Exhibit(await TestOrders.open())];
    await make(live.shop);
    for (const name of without) await live.shop.client.del(live.shop.key(name));
    await load(old.shop.client, old.shop.prefix, fixture);
    // A server that starts claims it; what orders it may hold is all that differs.
    await old.shop.redis.run(loadScript("claim-format"), ["0.1.0"]);
    const claimed = (await old.shop.client.get(old.shop.key("format"))) ?? "";
    await live.shop.client.set(live.shop.key("format"), claimed);
    // Orders of the same day, as far as their numbers go: they go on alike.
    const [then, today] = [await numbersOf(old.shop), await numbersOf(live.shop)];
    if (then !== today) await old.shop.client.rename(old.shop.key(then), old.shop.key(today));
    await live.keep();
    await old.keep();
    return new Comparison(stored, old, live);
  }

  /** Does the same in both shops: the answers, and then all keys, are the same. Returns the answers. */
  async expectSame<Answer>(act: (shop: TestOrders, orders: Orders) => Promise<Answer>): Promise<Answer> {
    const outcomes: { answers: Answer; state: State }[] = [];
    for (const exhibit of [this.old, this.live]) {
      await exhibit.reset();
      const orders = createOrders(exhibit.shop.redis, LASTING);
      const answers = await act(exhibit.shop, orders);
      orders.close();
      const state = untied(this.comparable(await exhibit.shop.state()));
      outcomes.push({ answers: this.comparable(answers), state });
    }
    const [ofOld, ofLive] = outcomes;
    if (!ofOld || !ofLive) throw new Error("nothing was asked");
    expect(ofOld).toEqual(ofLive);
    return ofOld.answers;
  }

  /** The same without times, and without the settings that the format did not know: `shop.changed` names all. */
  comparable<Value>(value: Value): Value {
    const text = JSON.stringify(withoutTimes(value));
    return JSON.parse(this.#settings === null ? text : text.replaceAll(this.#settings, "")) as Value;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { shop } of [this.old, this.live]) await shop[Symbol.asyncDispose]();
  }
}

/**
 * A state without what the clock decides: how those of one millisecond stand in an index of times, which of two
 * sets remembers a spent claim, and which servers were there.
 */
function untied({ "spent:now": _spent, ...state }: State): State {
  const sort = (line: string): string => {
    const members = line.split(/: |, /).slice(1);
    return line.startsWith("zset") && members.every((one) => one.endsWith(" time")) ? members.toSorted().join() : line;
  };
  const lines = Object.entries(state).filter(([key]) => !key.endsWith(".consumers"));
  return Object.fromEntries(lines.map(([key, line]) => [key, sort(line)]));
}
