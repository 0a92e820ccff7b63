/** Ordering without HTTP: callers are plain objects, as any transport may have them. A real Redis, no port. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { WaitLimit, MAX_HELD_PER_ORDER } from "../../src/limits/wait-limit.ts";
import { Limiter } from "../../src/limits/limiter.ts";
import { declareQueues, toQueueRules } from "../../src/orders/queues.ts";
import { createCallQueues, type CallQueue } from "../../src/service/call-queue.ts";
import type { Caller, HeldOutcome, OrderRefusal } from "../../src/service/caller.ts";
import { LostOrders } from "../../src/service/lost-orders.ts";
import { Ordering, type OrderRequest } from "../../src/service/ordering.ts";
import { Tally } from "../../src/tally.ts";
import { ReplicaFixture, type Replica } from "../longpoll/replicas.ts";
import { ORDER_SETTINGS } from "../support/orders.ts";
import { silent } from "../support/redis.ts";
import { soon, until } from "../support/until.ts";

setDefaultTimeout(60_000);

const ADDRESS = "192.0.2.7";

/** A transport of its own. */
class PlainCaller implements Caller {
  readonly #controller = new AbortController();
  readonly #end = Promise.withResolvers<HeldOutcome | OrderRefusal>();
  readonly signal = this.#controller.signal;
  readonly seconds: number | undefined;
  readonly mustStay = false;
  orderId: string | undefined;

  constructor(seconds?: number) {
    this.seconds = seconds;
  }

  hold(orderId: string): void {
    this.orderId = orderId;
  }

  refuse(refusal: OrderRefusal): void {
    this.#end.resolve(refusal);
  }

  settle(outcome: HeldOutcome): void {
    this.#end.resolve(outcome);
  }

  fail(error: unknown): void {
    this.#end.reject(error);
  }

  leave(): void {
    this.#controller.abort();
  }

  /** How the wait ended. */
  end(): Promise<HeldOutcome | OrderRefusal> {
    return soon(this.#end.promise, "the caller's wait ends");
  }

  /** The id of the order that they wait for. */
  async held(): Promise<string> {
    await until(() => this.orderId !== undefined, "the caller is held");
    return this.orderId ?? "";
  }
}

class Shop implements AsyncDisposable {
  readonly #fixture: ReplicaFixture;
  readonly replica: Replica;
  readonly waitLimit: WaitLimit;
  readonly ordering: Ordering;
  readonly closing = new AbortController();

  private constructor(fixture: ReplicaFixture, replica: Replica, { capacity, maxHeld }: Bounds) {
    const refusals = { count: () => {} };
    this.#fixture = fixture;
    this.replica = replica;
    this.waitLimit = new WaitLimit({ maxHeld, maxHeldPerAddress: 1000 }, refusals);
    this.ordering = new Ordering({
      orders: replica.verbs,
      room: replica.room,
      limiter: new Limiter({ policy: "order", capacity, refillPerSecond: 1 / 3600 }, refusals),
      waitLimit: this.waitLimit,
      passingLimit: new WaitLimit({ maxHeld, maxHeldPerAddress: 1000 }, refusals),
      lostOrders: new LostOrders(silent),
      refusals: new Tally(),
      closing: this.closing.signal,
    });
  }

  static async open({ capacity = 250, maxHeld = 1000 }: Partial<Bounds> = {}): Promise<Shop> {
    const fixture = await ReplicaFixture.open({ limitCapacity: capacity, limitRefillPerSecond: 1 / 3600 });
    return new Shop(fixture, await fixture.replica(), { capacity, maxHeld });
  }

  order(own: Partial<OrderRequest> = {}, caller = new PlainCaller()): PlainCaller {
    this.ordering.orderAndWait({ address: ADDRESS, key: undefined, draft: {}, ...own }, caller);
    return caller;
  }

  call(request: OrderRequest, caller = new PlainCaller()): PlainCaller {
    this.ordering.orderAndWait(request, caller);
    return caller;
  }

  wait(orderId: string, caller = new PlainCaller()): PlainCaller {
    this.ordering.waitAgain({ orderId, address: ADDRESS }, caller);
    return caller;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#fixture[Symbol.asyncDispose]();
  }
}

interface Bounds {
  readonly capacity: number;
  readonly maxHeld: number;
}

describe("a caller who orders", () => {
  test("is held, and gets the final order", async () => {
    await using shop = await Shop.open();
    const caller = shop.order();
    const orderId = await caller.held();
    expect(shop.waitLimit.waiting).toBe(1);
    expect(await shop.ordering.cancel(orderId)).toMatchObject({ kind: "changed" });
    const end = await caller.end();
    expect(end.kind === "final" && JSON.parse(end.value)).toMatchObject({ order_id: orderId, reason: "customer" });
    expect(shop.waitLimit.waiting).toBe(0);
  });

  test("and waits so long at most gets the order as it is then", async () => {
    await using shop = await Shop.open();
    const caller = shop.order({}, new PlainCaller(0.05));
    expect(await caller.end()).toMatchObject({ kind: "time_over", found: { kind: "found", status: "queued" } });
    expect(shop.waitLimit.waiting).toBe(0);
  });

  test("under a key that was used joins the first order; with another body they are refused", async () => {
    await using shop = await Shop.open();
    const key = "breakfast";
    const first = shop.order({ key });
    const orderId = await first.held();
    const again = shop.order({ key });
    expect(await again.held()).toBe(orderId);
    expect(await shop.order({ key, draft: { note: "hot" } }).end()).toMatchObject({ kind: "mismatch" });
    expect(shop.waitLimit.waiting).toBe(2);
    await shop.ordering.cancel(orderId);
    expect([(await first.end()).kind, (await again.end()).kind]).toEqual(["final", "final"]);
    expect(shop.waitLimit.waiting).toBe(0);
  });

  test("and leaves gives the slot back; the order goes on", async () => {
    await using shop = await Shop.open({ maxHeld: 1 });
    const caller = shop.order();
    const orderId = await caller.held();
    expect(await shop.order().end()).toEqual({ kind: "room_full" });
    caller.leave();
    expect(await caller.end()).toEqual({ kind: "left" });
    expect(shop.waitLimit.waiting).toBe(0);
    await shop.wait(orderId).held();
  });

  test("too fast is refused, and then without Redis", async () => {
    await using shop = await Shop.open({ capacity: 1 });
    await shop.order().held();
    const early = shop.ordering.refuseEarly(ADDRESS, false);
    expect(await early).toMatchObject({ kind: "denied", limit: { allowed: false, remaining: 0 } });
    expect(shop.ordering.refuseEarly("192.0.2.8", false)).toBeUndefined();
    expect(await shop.order().end()).toMatchObject({ kind: "denied" });
    expect(await shop.ordering.orderAndAccept({ address: ADDRESS, key: undefined, draft: {} })).toMatchObject({
      kind: "denied",
    });
  });

  test("something that is not on the menu is refused, and holds no slot", async () => {
    await using shop = await Shop.open();
    expect(await shop.order({ draft: { item: "soup" } }).end()).toMatchObject({
      kind: "refused",
      why: "unknown_item",
      limit: { allowed: true },
    });
    expect([shop.waitLimit.waiting, shop.replica.room.held]).toEqual([0, 0]);
  });
});

describe("a caller who calls", () => {
  /** A queue of machines, declared in the shop. */
  async function declare(shop: Shop, limitCapacity: number): Promise<CallQueue> {
    const rules = toQueueRules({ name: "work", limit_capacity: limitCapacity }, ORDER_SETTINGS);
    await declareQueues(shop.replica.redis.run, [rules], silent);
    const queue = createCallQueues([{ rules }], { count: () => {} }).get("work");
    if (!queue) throw new Error("no queue");
    return queue;
  }

  test("is held, and gets the result; who comes back under the key gets it too", async () => {
    await using shop = await Shop.open();
    const queue = await declare(shop, 250);
    const call = { address: ADDRESS, key: "sum", queue, input: "[1,2]" };
    const caller = shop.call(call);
    const orderId = await caller.held();
    const { orders } = shop.replica;
    expect(await orders.start({ barista: "w", queue: "work" })).toMatchObject({ kind: "started", orderId });
    await orders.finish({ orderId, barista: "w", result: "3" });
    for (const end of [await caller.end(), await shop.call(call).end()]) {
      expect(end.kind === "final" && JSON.parse(end.value)).toMatchObject({
        order_id: orderId,
        input: [1, 2],
        result: 3,
      });
    }
    expect(await shop.call({ ...call, input: "[1]" }).end()).toMatchObject({ kind: "mismatch" });
    expect(shop.waitLimit.waiting).toBe(0);
  });

  test("too fast is refused by the queue's own limit, and may order a cup", async () => {
    await using shop = await Shop.open();
    const queue = await declare(shop, 1);
    const call = { address: ADDRESS, key: undefined, queue, input: "1" };
    await shop.call(call).held();
    expect(await shop.ordering.refuseEarly(ADDRESS, false, queue)).toMatchObject({ kind: "denied" });
    expect(await shop.call(call).end()).toMatchObject({ kind: "denied", limit: { allowed: false } });
    expect(shop.ordering.refuseEarly(ADDRESS, false)).toBeUndefined();
    await shop.order().held();
    expect(shop.waitLimit.waiting).toBe(2);
  });

  test("a queue that is not declared is refused, and holds no slot", async () => {
    await using shop = await Shop.open();
    const queue = { ...(await declare(shop, 250)), name: "elsewhere" };
    const end = await shop.call({ address: ADDRESS, key: undefined, queue, input: "1" }).end();
    expect(end).toMatchObject({ kind: "refused", why: "queue_unknown" });
    expect([shop.waitLimit.waiting, shop.replica.room.held]).toEqual([0, 0]);
  });
});

test("a server that is stopping refuses early", async () => {
  await using shop = await Shop.open();
  shop.closing.abort();
  expect(await shop.ordering.refuseEarly(ADDRESS, true)).toEqual({ kind: "closing" });
});

test("so many wait for one order, and no more", async () => {
  await using shop = await Shop.open();
  const outcome = await shop.ordering.orderAndAccept({ address: ADDRESS, key: undefined, draft: {} });
  expect(outcome).toMatchObject({ kind: "accepted", found: { kind: "found", status: "queued" } });
  const orderId = outcome.kind === "accepted" ? outcome.orderId : "";
  const callers = Array.from({ length: MAX_HELD_PER_ORDER }, () => shop.wait(orderId));
  expect(await shop.wait(orderId).end()).toEqual({ kind: "too_many_for_order", limit: undefined });
  await shop.ordering.cancel(orderId);
  for (const caller of callers) expect((await caller.end()).kind).toBe("final");
});
