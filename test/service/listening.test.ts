/** Who listens to the payment of an order hears its last event: that may come long after the order's. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { EventFeed } from "../../src/events/feed.ts";
import { WaitLimit } from "../../src/limits/wait-limit.ts";
import { createOrders } from "../../src/orders/orders.ts";
import { Listening, type ListenToPaymentOutcome } from "../../src/service/listening.ts";
import { createReader, TestListener } from "../events/feeds.ts";
import { ORDER_SETTINGS, type TestOrders } from "../support/orders.ts";
import { attempt, authorise, openShop } from "../support/paid-orders.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(60_000);

/** A shop where orders are paid by card, and one order that is authorised: `a`. */
class Till implements AsyncDisposable {
  readonly shop: TestOrders;
  readonly feed: EventFeed;
  readonly #listening: Listening;

  private constructor(shop: TestOrders) {
    this.shop = shop;
    this.feed = new EventFeed(shop.redis, shop.shop);
    const orders = createOrders(shop.redis, ORDER_SETTINGS);
    const listenerLimit = new WaitLimit({ maxHeld: 100, maxHeldPerAddress: 1 }, { count: () => {} });
    this.#listening = new Listening({ orders, payments: orders.payments, feed: this.feed, listenerLimit });
  }

  static async open(): Promise<Till> {
    const shop = await openShop({ payment: "card" });
    await shop.place(["a"]);
    await attempt(shop, "a");
    await authorise(shop, "a");
    return new Till(shop);
  }

  listen(after?: string): Promise<ListenToPaymentOutcome> {
    return this.#listening.listenToPayment({ orderId: "a", address: "192.0.2.1", after });
  }

  /** Listens to what is not over. */
  async follow(after?: string): Promise<TestListener> {
    const outcome = await this.listen(after);
    if (outcome.kind !== "listening") throw new Error(outcome.kind);
    const listener = new TestListener(outcome.subscription);
    listener.onEnd = () => outcome.slot[Symbol.dispose]();
    listener.follow(outcome.wanted, after);
    return listener;
  }

  /** What is left of what is over, after an event. */
  async replay(after: string): Promise<string[]> {
    const outcome = await this.listen(after);
    if (outcome.kind !== "over") throw new Error(outcome.kind);
    const types: string[] = [];
    createReader(({ type }) => types.push(type))(outcome.frames);
    return types;
  }

  async finish(): Promise<void> {
    await this.shop.start("Ada");
    await this.shop.orders.finish({ orderId: "a" });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.feed.close();
    await this.shop[Symbol.asyncDispose]();
  }
}

const untilEnded = (listener: TestListener) => until(() => listener.ended > 0, "the listener is ended");

describe("the payment of an order", () => {
  test("goes on after the order is ready, up to its capture", async () => {
    await using till = await Till.open();
    const listener = await till.follow();
    await till.finish();
    await till.shop.orders.payments.capture("a");
    await untilEnded(listener);
    expect(listener.types).toEqual(["payment.captured"]);
    expect(await till.replay("0-0")).toEqual(["payment.attempted", "payment.authorised", "payment.captured"]);
    expect(await till.replay(listener.ids.at(-1) ?? "")).toEqual([]);
    expect(await till.listen()).toMatchObject({ kind: "settled" });
    expect(till.feed.listeners).toBe(0);
  });

  test("goes on after the order is cancelled, until nothing is held", async () => {
    await using till = await Till.open();
    const listener = await till.follow("0-0");
    await till.shop.orders.cancel({ orderId: "a", canceller: "customer", reason: "customer" });
    await till.shop.orders.payments.reverse({ orderId: "a" });
    await untilEnded(listener);
    expect(listener.types).toEqual(["payment.attempted", "payment.authorised", "payment.refunded"]);
    expect(await till.replay(listener.ids.at(0) ?? "")).toEqual(["payment.authorised", "payment.refunded"]);
  });

  test("goes on again while its money is given back", async () => {
    await using till = await Till.open();
    const { payments } = till.shop.orders;
    await till.finish();
    await payments.capture("a");
    await payments.refund({ orderId: "a", reason: "cold" });
    // A listener that has missed the capture gets it, and then the refund.
    const early = await till.follow("0-0");
    await payments.repay({ orderId: "a" });
    await untilEnded(early);
    expect(early.types.slice(2)).toEqual(["payment.captured", "payment.refunding", "payment.refunded"]);
    expect(await till.replay(early.ids.at(2) ?? "")).toEqual(["payment.refunding", "payment.refunded"]);
  });

  test("is over where the provider did not give it back, and says so to a listener that comes back", async () => {
    await using till = await Till.open();
    const { payments } = till.shop.orders;
    await till.finish();
    await payments.capture("a");
    await payments.refund({ orderId: "a", reason: "cold" });
    await payments.repay({ orderId: "a", error: "too old" });
    expect((await till.replay("0-0")).slice(2)).toEqual(["payment.captured", "payment.refunding", "payment.refused"]);
    const settled = await till.listen();
    expect(settled.kind === "settled" && JSON.parse(settled.payment)).toMatchObject({ error: "too old" });
  });

  test("takes a place of its listener's address, and gives it back", async () => {
    await using till = await Till.open();
    const listener = await till.follow();
    expect((await till.listen()).kind).toBe("too_many_held");
    await till.shop.orders.cancel({ orderId: "a", canceller: "customer", reason: "customer" });
    await till.shop.orders.payments.reverse({ orderId: "a" });
    await untilEnded(listener);
    expect((await till.listen()).kind).toBe("settled");
    expect((await till.listen()).kind).toBe("settled");
  });
});
