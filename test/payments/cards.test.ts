/** Orders that are paid by card, over HTTP: a server, the provider's own library, and a test acquirer behind it. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pause } from "../../src/pause.ts";
import { TestAcquirer } from "../support/acquirer.ts";
import {
  applyVerb,
  ask,
  cancelByCustomer,
  expectOrder,
  expectProblem,
  expectStatus,
  order,
  start,
  untilHeld,
  type Answer,
} from "../support/http.ts";
import {
  expectPayment,
  findLastUnpaid,
  giveBack,
  lookAtPayment,
  payByCard,
  placeUnpaid,
  REFUSED_CARD,
  takeMoney,
  untilPayment,
} from "../support/payments.ts";
import { startServer, type Server } from "../support/server.ts";
import { changeShop } from "../support/shop.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(60_000);

const file = join(tmpdir(), `longpour-acquirer-${crypto.randomUUID()}.jsonl`);
let acquirer: TestAcquirer;
let server: Server;

beforeAll(async () => {
  acquirer = await TestAcquirer.start("--data", file);
  server = await startServer(acquirer.settings);
  await acquirer.tell(`${server.customers}/payment/webhook`);
});

afterAll(async () => {
  await acquirer.stop();
  rmSync(file, { force: true });
});

async function placePaid(): Promise<string> {
  const id = await placeUnpaid(server);
  expectPayment(await payByCard(server, id), "CREATED");
  return id;
}

async function makeReady(id: string): Promise<void> {
  await start(server, `order_id=${id}`);
  expectOrder(await applyVerb(server, "finish", id), { status: "ready" });
}

test("a customer is held while they pay and wait; what was held is taken when the order is ready", async () => {
  const answer = order(server, { item: "latte" });
  await untilHeld(server, 1);
  const id = await findLastUnpaid(server);
  const held = expectPayment(await payByCard(server, id), "CREATED");
  expect(held).toMatchObject({ amount: 400, currency: "eur", kind: "card" });
  expect(Date.parse(held.capture_before ?? "")).toBeGreaterThan(Date.now() + 6 * 86_400_000);
  expect(await acquirer.row(id)).toMatchObject({ held: 400, captured: 0 });
  await makeReady(id);
  expect(expectOrder(await answer)).toMatchObject({ order_id: id, status: "ready", payment_kind: "card" });
  await untilPayment(server, id, "SUCCESSFUL");
  expect(await acquirer.row(id)).toMatchObject({ held: 0, captured: 400, captures: 1, authorisations: 1 });
});

test("a refused card is said so, and another one may do", async () => {
  const id = await placeUnpaid(server);
  const problem = expectProblem(await payByCard(server, id, REFUSED_CARD), 402);
  expect(problem.type).toBe("urn:longpour:problem:payment_declined");
  expect(problem.detail).toContain("declined");
  expect(expectPayment(await lookAtPayment(server, id), "PENDING").error).toBe(problem.detail);
  expectProblem(await payByCard(server, id, "pm_unknown"), 402);
  expectPayment(await payByCard(server, id), "CREATED");
  expect(await acquirer.row(id)).toMatchObject({ held: 300, authorisations: 1 });
});

test("ten cards are refused for one order, and no more are tried", async () => {
  const id = await placeUnpaid(server);
  for (let attempt = 0; attempt < 10; attempt++) expectProblem(await payByCard(server, id, REFUSED_CARD), 402);
  expect(expectProblem(await payByCard(server, id), 409).detail).toContain("Too many cards");
  await cancelByCustomer(server, id);
  await untilPayment(server, id, "FAILED");
});

test("paying twice, paying a final order, and taking money for a card are refused; nothing more is held", async () => {
  const id = await placePaid();
  expect(expectProblem(await payByCard(server, id), 409).detail).toContain("paid already");
  expectProblem(await takeMoney(server, id), 409);
  await cancelByCustomer(server, id);
  expect(expectProblem(await payByCard(server, id), 409).detail).toContain("over");
  await untilPayment(server, id, "REFUNDED");
  expect(await acquirer.row(id)).toMatchObject({ held: 0, captured: 0, authorisations: 1 });
});

test("of a cancelled order nothing is kept, whether it was paid or only tried", async () => {
  const [paid, tried, untouched] = [await placePaid(), await placeUnpaid(server), await placeUnpaid(server)];
  expectProblem(await payByCard(server, tried, REFUSED_CARD), 402);
  for (const id of [paid, tried, untouched]) await cancelByCustomer(server, id);
  await untilPayment(server, paid, "REFUNDED");
  expect(expectPayment(await lookAtPayment(server, paid), "REFUNDED").refunded_amount).toBe(300);
  await untilPayment(server, tried, "FAILED");
  await untilPayment(server, untouched, "FAILED");
  for (const id of [paid, tried])
    expect(await acquirer.row(id)).toMatchObject({ status: "canceled", held: 0, captured: 0 });
  expect((await acquirer.ledger()).map(({ order_id }) => order_id)).not.toContain(untouched);
});

test("what was taken is given back once, by staff, with a reason", async () => {
  const id = await placePaid();
  await makeReady(id);
  await untilPayment(server, id, "SUCCESSFUL");
  expectStatus(await giveBack(server, id, "cold"), 200);
  expectStatus(await giveBack(server, id, "again"), 200);
  await untilPayment(server, id, "REFUNDED");
  expect(expectPayment(await lookAtPayment(server, id), "REFUNDED")).toMatchObject({ refund_reason: "cold" });
  expect(await acquirer.row(id)).toMatchObject({ refunded: 300, refunds: 1 });
});

const hear = (body: string, signature?: string): Promise<Answer> => {
  const headers: Record<string, string> = signature === undefined ? {} : { "Stripe-Signature": signature };
  return ask(`${server.customers}/payment/webhook`, { method: "POST", body, headers });
};
const bodyOf = (id: string): string =>
  JSON.stringify({
    id: `evt_${crypto.randomUUID()}`,
    object: "event",
    type: "payment_intent.succeeded",
    data: { object: { id: "pi_1", object: "payment_intent", metadata: { order_id: id } } },
  });

describe("webhooks", () => {
  test("are taken by their signature alone, and change nothing twice", async () => {
    const id = await placePaid();
    const body = bodyOf(id);
    const before = expectPayment(await lookAtPayment(server, id), "CREATED");
    for (let time = 0; time < 2; time++) expectStatus(await hear(body, acquirer.sign(body)), 200);
    expect(expectPayment(await lookAtPayment(server, id), "CREATED")).toEqual(before);
    expectStatus(await hear(bodyOf("nothing"), acquirer.sign("nothing")), 400);
  });

  test("with a wrong, an old or no signature are refused, and are a line in the log", async () => {
    const body = bodyOf(await placeUnpaid(server));
    const lines = (): number =>
      server.log().filter(({ msg }) => String(msg).startsWith("a webhook was refused")).length;
    const before = lines();
    const old = Math.floor(Date.now() / 1000) - 3600;
    for (const signature of [acquirer.sign(`${body} `), acquirer.sign(body, old), "t=1,v1=0", "", undefined]) {
      expect(expectProblem(await hear(body, signature), 400).type).toContain("webhook_forged");
    }
    await until(() => lines() === before + 5, "each is a line");
    expectProblem(await hear("x".repeat(300_000), "t=1,v1=0"), 413);
  });
});

const awayLines = (): number =>
  server.log().filter(({ msg }) => String(msg).startsWith("the provider of payments does not answer")).length;

/** Has the payment of an order looked at, again and again until the signal: a webhook does. */
async function lookUntil(over: AbortSignal, id: string): Promise<void> {
  while (!over.aborted) {
    const body = bodyOf(id);
    expectStatus(await hear(body, acquirer.sign(body)), 200);
    await pause(50, over);
  }
}

describe("a provider that", () => {
  test("does what it is asked and loses its answers holds the amount once", async () => {
    await acquirer.fail({ fail: 1 });
    const id = await placeUnpaid(server);
    expect(expectPayment(await payByCard(server, id), "PENDING", 202).is_under_way).toBe(true);
    expectStatus(await payByCard(server, id), 202);
    expect(expectProblem(await payByCard(server, id, "pm_card_mastercard"), 409).detail).toContain("being tried");
    await acquirer.fail({ fail: 0 });
    await untilPayment(server, id, "CREATED");
    expect(await acquirer.row(id)).toMatchObject({ held: 300, authorisations: 1 });
  });

  test("is away for longer than the time to pay: the customer is held until then, and nothing is kept", async () => {
    await changeShop(server, { payment_timeout_seconds: 2 });
    const other = await placePaid();
    const before = awayLines();
    const restart = await acquirer.kill();
    const answer = order(server);
    await untilHeld(server, 1);
    const id = await findLastUnpaid(server);
    expectPayment(await payByCard(server, id), "PENDING", 202);
    // A payment that waits for its order is looked at, and nothing is asked for it: that ends no outage.
    const looking = new AbortController();
    const looked = lookUntil(looking.signal, other);
    expect(expectOrder(await answer, { status: "cancelled" }).reason).toBe("payment_failed");
    looking.abort();
    await looked;
    expect(awayLines()).toBe(before + 1);
    expectPayment(await lookAtPayment(server, id), "PENDING");
    acquirer = await restart();
    await untilPayment(server, id, "FAILED", 40_000);
    expect(await acquirer.row(id)).toMatchObject({ held: 0, captured: 0 });
    await changeShop(server, { payment_timeout_seconds: 600 });
  });

  test("lets an authorisation lapse: the log warns before, and the order is not paid", async () => {
    await acquirer.fail({ hold_seconds: 2 });
    const id = await placePaid();
    await acquirer.fail({ hold_seconds: 604_800 });
    await until(async () => (await acquirer.row(id)).status === "canceled", "it lapses");
    await makeReady(id);
    await untilPayment(server, id, "FAILED");
    expect(expectPayment(await lookAtPayment(server, id), "FAILED").error).toContain("lapsed");
    const lines = server.log().map(({ msg }) => String(msg));
    expect(lines).toContain("an order is ready that is not paid: its authorisation lapsed");
    expect(lines).toContain("an authorisation lapses soon: finish the order, or cancel it");
  });
});

test("the shop says who charges cards, and no secret", async () => {
  const answer = await ask(`${server.customers}/shop`);
  expect(answer.body).toMatchObject({ payment: "card", currency: "eur", payment_provider: "test" });
  const output = JSON.stringify(server.log());
  for (const name of ["STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET"] as const) {
    expect(output).not.toContain(acquirer.settings[name]);
  }
});
