/** Orders that are paid by card, by a client of a public library: a test acquirer is behind the server. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { TestAcquirer } from "../support/acquirer.ts";
import { brew, cancelByCustomer, place, untilHeld } from "../support/http.ts";
import { GOOD_CARD, pay, REFUSED_CARD } from "../support/payments.ts";
import { startServer, type Server } from "../support/server.ts";
import { until } from "../support/until.ts";
import { Operations } from "./client.ts";
import { framesOf, listenByGet, openByGet, viewsOf } from "./streams.ts";

setDefaultTimeout(60_000);

let acquirer: TestAcquirer;
let server: Server;
let customers: Operations;
let staff: Operations;

beforeAll(async () => {
  acquirer = await TestAcquirer.start();
  server = await startServer({ ...acquirer.settings, LIMIT_CAPACITY: "1000" });
  await acquirer.tell(`${server.customers}/payment/webhook`);
  customers = new Operations(server.customers);
  staff = new Operations(server.baristas);
});

afterAll(() => acquirer.stop());

interface PaymentView {
  readonly orderId: string;
  readonly status: string;
  readonly isUnderWay: boolean;
  readonly error: string | null;
}

const VIEW = "orderId status kind amount isUnderWay error refundReason refundRequestedAt refundedAmount";
const MAKE = `mutation ($orderId: ID!, $method: String) { makePayment(orderId: $orderId, method: $method) { ${VIEW} } }`;
const GET = `query ($id: ID!) { getPayment(id: $id) { ${VIEW} } }`;
const REFUND = `mutation ($id: ID!) { refundPayment(id: $id, reason: "cold", barista: "Ada") { ${VIEW} } }`;
const UPDATED = `subscription ($orderId: ID!) { paymentUpdated(orderId: $orderId) { ${VIEW} } }`;

const statusesOf = (text: string): string[] =>
  viewsOf<PaymentView>(framesOf(text)).map(({ status }) => status.replace("PAYMENT_", ""));
const untilStatus = (id: string, status: string): Promise<void> =>
  until(async () => (await customers.get<PaymentView>(GET, { id })).status === `PAYMENT_${status}`, `it is ${status}`);

test("createOrder(wait: true) is held while it is paid by makePayment, and made", async () => {
  const order = customers.get<{ readonly id: string }>(
    'mutation { createOrder(item: "latte", wait: true) { id status paymentKind } }',
  );
  await untilHeld(server, 1);
  const { payments } = await staff.get<{ payments: readonly PaymentView[] }>(
    "{ getPaymentList(status: PAYMENT_PENDING) { payments { orderId } } }",
  );
  const orderId = payments.at(-1)?.orderId ?? "";
  expect(await customers.get<PaymentView>(MAKE, { orderId, method: GOOD_CARD })).toMatchObject({
    orderId,
    status: "PAYMENT_CREATED",
    kind: "card",
    amount: 400,
    isUnderWay: false,
  });
  await brew(server, `order_id=${orderId}`);
  expect(await order).toEqual({ id: orderId, status: "ORDER_COMPLETED", paymentKind: "card" } as { id: string });
  await untilStatus(orderId, "SUCCESSFUL");
});

test("makePayment is refused with the words over HTTP: a refused card, a second payment, none named", async () => {
  const { order_id: orderId } = await place(server);
  const overHttp = async (method?: string): Promise<unknown> =>
    ((await pay(server, { order_id: orderId, method })).body as { detail: string }).detail;
  const declined = await customers.getError(MAKE, { orderId, method: REFUSED_CARD });
  expect(declined).toMatchObject({ message: await overHttp(REFUSED_CARD), path: ["makePayment"] });
  expect(declined.extensions).toMatchObject({ code: "payment_declined", status: 402 });
  expect((await customers.get<PaymentView>(GET, { id: orderId })).error).toBe(declined.message);
  const missing = await customers.getError(MAKE, { orderId });
  expect(missing).toMatchObject({ message: await overHttp(), extensions: { errors: [{ field: "method" }] } });
  await customers.get(MAKE, { orderId, method: GOOD_CARD });
  const twice = await customers.getError(MAKE, { orderId, method: GOOD_CARD });
  expect(twice).toMatchObject({
    message: await overHttp(GOOD_CARD),
    extensions: { code: "payment_conflict", status: 409 },
  });
  await cancelByCustomer(server, orderId);
});

test("where the provider does not answer, makePayment says that it is under way, and it is asked on", async () => {
  const { order_id: orderId } = await place(server);
  await acquirer.fail({ fail: 1, fail_as: "lost" });
  const stream = await openByGet(server.customers, UPDATED, { orderId });
  const tried = await customers.get<PaymentView>(MAKE, { orderId, method: GOOD_CARD });
  expect(tried).toMatchObject({ status: "PAYMENT_PENDING", isUnderWay: true });
  await acquirer.fail({ fail: 0 });
  await untilStatus(orderId, "CREATED");
  await brew(server, `order_id=${orderId}`);
  expect(statusesOf(await stream.text())).toEqual(["PENDING", "CREATED", "SUCCESSFUL"]);
});

describe("paymentUpdated", () => {
  test("goes on after its order, up to the capture, and is resumed by Last-Event-ID", async () => {
    const { order_id: orderId } = await place(server);
    const stream = await openByGet(server.customers, UPDATED, { orderId });
    await customers.getError(MAKE, { orderId, method: REFUSED_CARD });
    await customers.get(MAKE, { orderId, method: GOOD_CARD });
    await brew(server, `order_id=${orderId}`);
    const text = await stream.text();
    expect(statusesOf(text)).toEqual(["PENDING", "PENDING", "PENDING", "CREATED", "SUCCESSFUL"]);
    const frames = framesOf(text);
    expect(frames.at(-1)?.event).toBe("complete");
    const rest = await listenByGet(server.customers, UPDATED, { orderId }, frames.at(2)?.id);
    expect(framesOf(rest)).toEqual(frames.slice(3));
  });

  test("of an order that is cancelled: up to what was held is given back", async () => {
    const { order_id: orderId } = await place(server);
    await customers.get(MAKE, { orderId, method: GOOD_CARD });
    const stream = await openByGet(server.customers, UPDATED, { orderId });
    await cancelByCustomer(server, orderId);
    expect(statusesOf(await stream.text())).toEqual(["REFUNDED"]);
  });

  test("of a refund: asked for, then done", async () => {
    const { order_id: orderId } = await place(server);
    await customers.get(MAKE, { orderId, method: GOOD_CARD });
    await brew(server, `order_id=${orderId}`);
    await untilStatus(orderId, "SUCCESSFUL");
    const captured = framesOf(await listenByGet(server.customers, UPDATED, { orderId }, "0-0")).at(-2)?.id;
    const asked = await staff.get<PaymentView>(REFUND, { id: orderId });
    expect(asked).toMatchObject({ status: "PAYMENT_SUCCESSFUL", refundReason: "cold" });
    const text = await listenByGet(server.customers, UPDATED, { orderId }, captured);
    expect(statusesOf(text)).toEqual(["SUCCESSFUL", "REFUNDED"]);
    expect(viewsOf(framesOf(text))).toMatchObject([
      { refundedAmount: null, refundRequestedAt: expect.any(String) as string },
      { refundedAmount: 300 },
    ]);
  });
});
