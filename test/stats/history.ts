/**
 * Owns random histories of a shop: orders of each kind, paid or not, made, failed, released and cancelled by the real
 * scripts; then stretched over days, so that they fall into many hours.
 *
 * **Invariants**
 * - The same seed makes the same choices.
 */
import { DEFAULT_QUEUE } from "../../src/orders/orders.ts";
import { createShop } from "../../src/shop/settings.ts";
import { attempt, authorise } from "../support/paid-orders.ts";
import type { TestOrders } from "../support/orders.ts";

const ITEMS = ["americano", "latte", "espresso"];
const BARISTAS = ["Ada", 'Grace "the great", "started_at":"', "Linus\t=1+1"];
const TIME = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g;

/** Draws from a seed (mulberry32). */
function drawing(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

export class History {
  readonly #shop: TestOrders;
  readonly #draw: (below: number) => number;
  readonly #ids: string[] = [];
  readonly #started: string[] = [];

  constructor(shop: TestOrders, seed: number) {
    this.#shop = shop;
    this.#draw = drawing(seed);
  }

  /** Does so many things, some of which the shop refuses. */
  async run(steps: number): Promise<void> {
    await this.#shop.declare();
    for (let step = 0; step < steps; step += 1) await this.#step();
  }

  get #item(): string {
    return ITEMS[this.#draw(ITEMS.length)] ?? "";
  }

  get #barista(): string {
    return BARISTAS[this.#draw(BARISTAS.length)] ?? "";
  }

  /** One that was named before; mostly one of the newest. */
  get #known(): string {
    return this.#ids.at(-1 - this.#draw(Math.min(8, this.#ids.length))) ?? "none";
  }

  #new(): string {
    const id = crypto.randomUUID();
    this.#ids.push(id);
    return id;
  }

  async #step(): Promise<unknown> {
    const { orders } = this.#shop;
    const [orderId, barista] = [this.#known, this.#barista];
    const brewing = this.#started.at(-1 - this.#draw(4)) ?? orderId;
    const steps = [
      () => orders.place({ orderId: this.#new(), queue: DEFAULT_QUEUE, draft: { item: this.#item } }),
      () =>
        orders.place({
          orderId: this.#new(),
          queue: DEFAULT_QUEUE,
          draft: { item: this.#item, note: '"number":1,"item":"x"' },
        }),
      () => this.#schedule(),
      () => this.#reserve(),
      () => this.#shop.call([this.#new()]),
      () => this.#start(barista, this.#draw(2) === 0 ? "thumbs" : DEFAULT_QUEUE),
      () => this.#start(barista, DEFAULT_QUEUE),
      () => this.#start(barista, DEFAULT_QUEUE),
      () => orders.finish({ orderId: brewing, barista: undefined }),
      () => orders.finish({ orderId: brewing, barista: undefined }),
      () => orders.finish({ orderId: brewing, barista: undefined }),
      () =>
        orders.fail({
          orderId: brewing,
          barista: undefined,
          error: "spilt",
          retry: this.#draw(2) === 0,
          retryAfterMs: 0,
        }),
      () => orders.release({ orderId: brewing, barista: undefined, isUncounted: this.#draw(2) === 0 }),
      () => orders.cancel({ orderId, canceller: "customer", reason: "customer", barista: undefined }),
      () => orders.cancel({ orderId, canceller: "barista", reason: "barista", barista: undefined }),
      () => this.#changePayment(),
      () => this.#pay(orderId),
      () => this.#pay(orderId),
      () => orders.payments.capture(brewing),
      () => orders.payments.reverse({ orderId }),
      () => orders.payments.refund({ orderId, reason: "cold", barista }),
      () => orders.payments.repay({ orderId }),
    ];
    return await steps[this.#draw(steps.length)]?.();
  }

  async #start(barista: string, queue: string): Promise<void> {
    const id = await this.#shop.start(barista, { queue });
    if (id !== null) this.#started.push(id);
  }

  /** An order for later, which may come due at once. */
  async #schedule(): Promise<void> {
    const id = this.#new();
    const not_before = new Date(Date.now() + 3_600_000).toISOString();
    await this.#shop.orders.place({ orderId: id, queue: DEFAULT_QUEUE, draft: { item: this.#item, not_before } });
    const found = await this.#shop.orders.find(id);
    if (found.kind !== "found" || found.status !== "scheduled" || this.#draw(2) === 0) return;
    await this.#shop.comeDue(id);
    await this.#shop.orders.expire();
  }

  /** A reservation; of some the drink is chosen. */
  async #reserve(): Promise<void> {
    const { client, orders } = this.#shop;
    const id = this.#new();
    await client.hset(this.#shop.key("code"), { code: "CODE", remaining: 1, ends_at: Date.now() + 3_600_000 });
    await orders.reserve({ orderId: id, draft: { code: "CODE", customer_name: "Joan" } });
    if (this.#draw(2) === 0)
      await orders.complete({ orderId: id, queue: DEFAULT_QUEUE, completion: { item: this.#item } });
  }

  async #changePayment(): Promise<void> {
    const payment = (["off", "counter", "card"] as const)[this.#draw(3)] ?? "off";
    await createShop(this.#shop.redis, DEFAULT_QUEUE).change({ payment });
  }

  async #pay(orderId: string): Promise<void> {
    await this.#shop.orders.payments.take({ orderId, barista: "Ada" });
    await attempt(this.#shop, orderId);
    await authorise(this.#shop, orderId);
  }
}

/** As if all that happened had taken `factor` times as long, up to now: in the stream, and in the records. */
export async function stretch({ client, prefix }: TestOrders, factor: number): Promise<void> {
  const nowMs = Date.now();
  const move = (ms: number): number => nowMs - Math.max(0, nowMs - ms) * factor;
  const moveTimes = (text: string): string =>
    text.replace(TIME, (time) => new Date(move(Date.parse(time))).toISOString());
  const events = `${prefix}events`;
  const entries = await client.xrange(events, "-", "+");
  await client.del(events);
  for (const [id, fields] of entries) {
    const [ms, number] = id.split("-");
    await client.xadd(events, `${move(Number(ms))}-${number}`, ...fields.map(moveTimes));
  }
  for (const name of await client.keys(`${prefix}order:*`)) {
    const record = await client.get(name);
    if (record !== null) await client.set(name, moveTimes(record));
  }
}
