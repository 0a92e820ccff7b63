/** What becomes of money where the order that it is for is no longer kept. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import type { Redis } from "ioredis";
import { TestAcquirer } from "../support/acquirer.ts";
import { ask, expectStatus, place } from "../support/http.ts";
import { expectPayment, giveBack, lookAtPayment, pay, readPayment } from "../support/payments.ts";
import { sharedRedis } from "../support/redis.ts";
import { startServer, type Server } from "../support/server.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(60_000);

const SHOP = `gone-${crypto.randomUUID()}`;
const FREED = "the order of a payment is no longer kept: what was held is freed";
let acquirer: TestAcquirer;
let server: Server;
let redis: Redis;

beforeAll(async () => {
  redis = (await sharedRedis()).connect();
  acquirer = await TestAcquirer.start();
  server = await startServer({ ...acquirer.settings, SHOP });
});

afterAll(async () => {
  redis.disconnect();
  await acquirer.stop();
});

async function placePaid(): Promise<string> {
  const { order_id } = await place(server);
  expectPayment(await pay(server, { order_id, method: "pm_card_visa" }), "CREATED");
  return order_id;
}

const untilStatus = (id: string, status: string): Promise<void> =>
  until(async () => readPayment((await lookAtPayment(server, id)).body).status === status, `${id}: ${status}`);

const isFreed = (id: string): boolean => server.log().some((line) => line["msg"] === FREED && line["order_id"] === id);

/** Has Redis lose the order, and the payment looked at. */
async function loseOrder(id: string): Promise<void> {
  expect(await redis.del(`{${SHOP}}:order:${id}`)).toBe(1);
  const intent = { id: "pi_1", object: "payment_intent", metadata: { order_id: id } };
  const body = JSON.stringify({
    id: "evt_1",
    object: "event",
    type: "payment_intent.succeeded",
    data: { object: intent },
  });
  const headers = { "Stripe-Signature": acquirer.sign(body) };
  expectStatus(await ask(`${server.customers}/payment/webhook`, { method: "POST", body, headers }), 200);
}

test("what was taken counts as taken, though its order was gone before the provider had said so", async () => {
  const id = await placePaid();
  const { id: intentId } = await acquirer.row(id);
  const capture = `${acquirer.url}/v1/payment_intents/${intentId}/capture`;
  expectStatus(await ask(capture, { method: "POST", headers: acquirer.authorization }), 200);
  await loseOrder(id);
  await untilStatus(id, "PAYMENT_SUCCESSFUL");
  expect(isFreed(id)).toBe(false);
  expectStatus(await giveBack(server, id), 200);
  await untilStatus(id, "PAYMENT_REFUNDED");
  expect(await acquirer.row(id)).toMatchObject({ captured: 300, captures: 1, refunded: 300, refunds: 1 });
});

test("what is held alone is freed", async () => {
  const id = await placePaid();
  await loseOrder(id);
  await untilStatus(id, "PAYMENT_REFUNDED");
  expect(await acquirer.row(id)).toMatchObject({ status: "canceled", held: 0, captured: 0 });
  expect(isFreed(id)).toBe(true);
});
