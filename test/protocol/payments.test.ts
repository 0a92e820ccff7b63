/** Payments over HTTP: orders that are paid at the counter, and what both ports refuse. */
import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { EventClient } from "../events/client.ts";
import {
  applyVerb,
  ask,
  cancelByCustomer,
  expectOrder,
  expectProblem,
  expectStatus,
  order,
  place,
  start,
  untilHeld,
} from "../support/http.ts";
import {
  changePayment,
  expectPayment,
  findLastUnpaid,
  giveBack,
  lookAtPayment,
  pay,
  payByCard,
  placeUnpaid,
  readPayment,
  takeMoney,
} from "../support/payments.ts";
import { startServer, type Server } from "../support/server.ts";
import { changeShop, patchShop } from "../support/shop.ts";

const NO_ORDER = "01938a5e-7c1b-7f3e-9a52-6f1d2c3b4a59";
const ASYNC = { headers: { Prefer: "respond-async" } };

setDefaultTimeout(60_000);

let server: Server;

beforeAll(async () => {
  server = await startServer({ PAYMENT: "counter" });
});

describe("at the counter", () => {
  test("a customer is held while unpaid, paid, queued and brewing, and gets one 200", async () => {
    const answer = order(server, { item: "latte" });
    await untilHeld(server, 1);
    const id = await findLastUnpaid(server);
    expect(expectPayment(await lookAtPayment(server, id), "PENDING")).toMatchObject({ kind: "counter", amount: 400 });
    expectProblem(await ask(`${server.baristas}/start`), 404);
    expect(expectPayment(await takeMoney(server, id), "SUCCESSFUL").taken_by).toBe("Ada");
    expectPayment(await takeMoney(server, id), "SUCCESSFUL");
    expect((await start(server)).order_id).toBe(id);
    await applyVerb(server, "finish", id);
    expect(expectOrder(await answer)).toMatchObject({
      order_id: id,
      status: "ready",
      payment_kind: "counter",
      price: 400,
    });
  });

  test("listeners hear of it: unpaid, queued, taken; and each event holds the order and its payment", async () => {
    const listener = await EventClient.open(`${server.baristas}/events`);
    const id = await placeUnpaid(server);
    await takeMoney(server, id);
    await cancelByCustomer(server, id);
    await giveBack(server, id, "no milk");
    await listener.untilHeard(5);
    expect(listener.types).toEqual([
      "order.unpaid",
      "order.queued",
      "payment.taken",
      "order.cancelled",
      "payment.refunded",
    ]);
    listener.hangUp();
    const [unpaid, , taken, , refunded] = listener.events.map(({ data }) => data as Record<string, unknown>);
    expect(unpaid).toMatchObject({ status: "unpaid", payment_kind: "counter" });
    expect(readPayment(taken?.payment)).toMatchObject({ order_id: id, status: "PAYMENT_SUCCESSFUL" });
    expect(readPayment(refunded?.payment)).toMatchObject({ refund_reason: "no milk", refunded_amount: 300 });
  });

  test("an order that is not paid in time is cancelled, and its customer is answered", async () => {
    await changeShop(server, { payment_timeout_seconds: 1 });
    const answer = await order(server);
    expect(expectOrder(answer, { status: "cancelled" }).reason).toBe("payment_failed");
    const { order_id: id } = expectOrder(answer);
    expectPayment(await lookAtPayment(server, id), "FAILED");
    expectProblem(await takeMoney(server, id), 409);
    await changeShop(server, { payment_timeout_seconds: 600 });
  });

  test("a free drink is not paid", async () => {
    const water = { name: "Water", description: "", price: 0, available: true, modifiers: [], icon: "💧" };
    expectStatus(await ask(`${server.baristas}/coffees/water`, { method: "PUT", json: water }), 201);
    expect((await place(server, { item: "water" })).status).toBe("queued");
  });

  test("money is given back once, of an order that is over, with a reason", async () => {
    const id = await placeUnpaid(server);
    expectProblem(await giveBack(server, id), 409);
    await takeMoney(server, id);
    expect(expectProblem(await giveBack(server, id), 409).detail).toContain("cancel it first");
    await cancelByCustomer(server, id);
    expectProblem(await changePayment(server, id, { status: "PAYMENT_REFUNDED" }), 422, "reason");
    const first = expectPayment(await giveBack(server, id, "cold"), "REFUNDED");
    expect(expectPayment(await giveBack(server, id, "again"), "REFUNDED")).toEqual(first);
  });

  test("fulfilments are pending while unpaid", async () => {
    const id = await placeUnpaid(server);
    const statusOf = async () => ((await ask(`${server.baristas}/fulfilment/${id}`)).body as { status: string }).status;
    expect(await statusOf()).toBe("FULFILMENT_PENDING");
    await takeMoney(server, id);
    expect(await statusOf()).toBe("FULFILMENT_CREATED");
    await cancelByCustomer(server, id);
  });
});

describe("staff's list", () => {
  interface Page {
    readonly payments: readonly unknown[];
    readonly cursor: string | null;
  }
  const search = async (query: string): Promise<Page> => {
    const answer = await ask(`${server.baristas}/payment?${query}`);
    expectStatus(answer, 200);
    return answer.body as Page;
  };

  test("has the payments of a day, by status, of an order, a page at a time", async () => {
    const ids = [await placeUnpaid(server), await placeUnpaid(server)];
    await takeMoney(server, ids[0] ?? "");
    const today = new Date().toISOString().slice(0, 10);
    const all: string[] = [];
    for (let cursor: string | null = ""; cursor !== null;) {
      const page: Page = await search(`date=${today}&limit=3${cursor && `&cursor=${cursor}`}`);
      expect(page.payments.length).toBeLessThanOrEqual(3);
      all.push(...page.payments.map((payment) => readPayment(payment).payment_id));
      ({ cursor } = page);
    }
    expect(all.slice(-2)).toEqual(ids);
    expect(new Set(all).size).toBe(all.length);
    const pending = await search("status=PAYMENT_PENDING&limit=200");
    expect(pending.payments.map((payment) => readPayment(payment).payment_id)).toContain(String(ids[1]));
    expect((await search(`order_id=${String(ids[1]).toUpperCase()}`)).payments).toHaveLength(1);
    expect((await search(`order_id=${NO_ORDER}`)).payments).toEqual([]);
    expect((await search("date=2020-01-01")).payments).toEqual([]);
    expect((await search(`order_id=${ids[1]}&status=PAYMENT_FAILED`)).payments).toEqual([]);
  });

  test("is refused what it can't mean", async () => {
    for (const [query, field] of [
      ["date=yesterday", "date"],
      ["status=PAID", "status"],
      ["order_id=1", "order_id"],
      ["limit=0", "limit"],
      [`cursor=${NO_ORDER}`, "cursor"],
    ]) {
      expectProblem(await ask(`${server.baristas}/payment?${query}`), 422, field);
    }
  });
});

describe("what is refused", () => {
  test("a price or an amount of the client", async () => {
    expectProblem(await order(server, { price: 1 }, ASYNC), 422, "price");
    expectProblem(await order(server, { payment: "off" }, ASYNC), 422, "payment");
    const id = await placeUnpaid(server);
    expectProblem(await pay(server, { order_id: id, amount: 1 }), 422, "amount");
    expectProblem(await changePayment(server, id, { status: "PAYMENT_SUCCESSFUL", amount: 1 }), 422, "amount");
    expectPayment(await lookAtPayment(server, id), "PENDING");
  });

  test("a payment that makes no sense, naming the field", async () => {
    const id = await placeUnpaid(server);
    expectProblem(await pay(server, {}), 422, "order_id");
    expectProblem(await ask(`${server.customers}/payment`, { method: "POST" }), 422, "body");
    expectProblem(await pay(server, { order_id: id, method: "a card" }), 422, "method");
    expectProblem(await pay(server, { order_id: id, method: "" }), 422, "method");
    expectProblem(await pay(server, { order_id: id, method: 7 }), 422, "method");
    expectProblem(await changePayment(server, id, { status: "PAYMENT_CREATED" }), 422, "status");
    expectProblem(await changePayment(server, id, { status: "PAYMENT_REFUNDED", reason: "" }), 422, "reason");
    expectProblem(await changePayment(server, id, undefined), 422, "body");
  });

  test("paying by card what is paid at the counter; an order that there is not, or that costs nothing", async () => {
    const id = await placeUnpaid(server);
    expect(expectProblem(await pay(server, { order_id: id }), 409).detail).toContain("at the counter");
    expectProblem(await pay(server, { order_id: NO_ORDER }), 404);
    expectProblem(await lookAtPayment(server, NO_ORDER), 404);
    expectProblem(await takeMoney(server, NO_ORDER), 404);
    const { order_id } = await place(server, { item: "water" });
    expect(expectProblem(await takeMoney(server, order_id), 404).type).toContain("payment_unknown");
  });

  test("cards, where no provider is set", async () => {
    expect(expectProblem(await patchShop(server, { payment: "card" }), 422, "payment").detail).toContain(
      "STRIPE_SECRET_KEY",
    );
    const id = await placeUnpaid(server);
    expectProblem(await payByCard(server, id), 409);
    const webhook = { method: "POST", body: "{}", headers: { "Stripe-Signature": "t=1,v1=0" } };
    expectProblem(await ask(`${server.customers}/payment/webhook`, webhook), 409);
  });

  test("other settings than there are", async () => {
    expectProblem(await patchShop(server, { payment: "cash" }), 422, "payment");
    expectProblem(await patchShop(server, { payment_timeout_seconds: 0 }), 422, "payment_timeout_seconds");
    expectProblem(await patchShop(server, { currency: "EUR" }), 422, "currency");
  });
});
