/** Payments of both ports by a client of a public library, where money is taken at the counter. */
import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { ask, applyVerb, brew, cancelByCustomer, lookAtQueue, place, untilHeld } from "../support/http.ts";
import { GOOD_CARD, pay } from "../support/payments.ts";
import { startServer, type Server } from "../support/server.ts";
import { until } from "../support/until.ts";
import { Operations, openStreams } from "./client.ts";
import { framesOf, Heard, listenByGet, openByGet, viewsOf } from "./streams.ts";

setDefaultTimeout(60_000);

let server: Server;
let customers: Operations;
let staff: Operations;

beforeAll(async () => {
  server = await startServer({ PAYMENT: "counter", LIMIT_CAPACITY: "1000" });
  customers = new Operations(server.customers);
  staff = new Operations(server.baristas);
});

interface OrderView {
  readonly id: string;
  readonly status: string;
  readonly state: string;
  readonly paymentKind: string | null;
}

interface PaymentView {
  readonly id: string;
  readonly orderId: string;
  readonly status: string;
  readonly [field: string]: unknown;
}

const PAYMENT = `id orderId status kind amount currency createdAt expiresAt isUnderWay error authorisedAt captureBefore
  capturedAt takenBy failedAt refundReason refundRequestedAt refundedBy refundedAt refundedAmount`;
const GET = `query ($id: ID!) { getPayment(id: $id) { ${PAYMENT} } }`;
const GET_ORDER = "query ($id: ID!) { getOrder(id: $id) { id status state paymentKind } }";
const MAKE = `mutation ($orderId: ID!, $method: String) { makePayment(orderId: $orderId, method: $method) { ${PAYMENT} } }`;
const TAKE = `mutation ($id: ID!, $barista: String) { takePayment(id: $id, barista: $barista) { ${PAYMENT} } }`;
const REFUND = `mutation ($id: ID!, $reason: String!, $barista: String) {
  refundPayment(id: $id, reason: $reason, barista: $barista) { ${PAYMENT} } }`;
const UPDATED = `subscription ($orderId: ID!) { paymentUpdated(orderId: $orderId) { ${PAYMENT} } }`;
const CREATE = 'mutation ($wait: Boolean) { createOrder(item: "latte", wait: $wait) { id status state paymentKind } }';

/** The members of a payment over HTTP, in GraphQL's spelling. */
async function paymentOverHttp(base: string, id: string): Promise<unknown> {
  const { payment_id, ...members } = (await ask(`${base}/payment/${id}`)).body as Record<string, unknown>;
  const named = Object.entries(members).map(([name, value]) => [
    name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
    value,
  ]);
  return { id: payment_id, ...Object.fromEntries(named) };
}

const withoutNulls = (view: object): unknown =>
  Object.fromEntries(Object.entries(view).filter(([, value]) => value !== null));

const statusesOf = (views: readonly PaymentView[]): string[] => views.map(({ status }) => status);

describe.each(["customers", "baristas"] as const)("the %s' port", (port) => {
  const here = () => (port === "customers" ? customers : staff);

  test("getPayment: as it is over HTTP, while it is pending and once it is taken", async () => {
    const { id, ...order } = await here().get<OrderView>(CREATE);
    expect(order).toEqual({ status: "ORDER_PAYMENT_PENDING", state: "unpaid", paymentKind: "counter" });
    const pending = await here().get<PaymentView>(GET, { id: id.toUpperCase() });
    expect(pending).toMatchObject({ id, orderId: id, status: "PAYMENT_PENDING", amount: 400, isUnderWay: false });
    const { isUnderWay: _, ...shown } = pending;
    expect(withoutNulls(shown)).toEqual(await paymentOverHttp(server[port], id));
    await staff.get(TAKE, { id, barista: "Grace" });
    const { isUnderWay: __, ...taken } = await here().get<PaymentView>(GET, { id });
    expect(taken).toMatchObject({ status: "PAYMENT_SUCCESSFUL", takenBy: "Grace" });
    expect(withoutNulls(taken)).toEqual(await paymentOverHttp(server[port], id));
    expect(await here().get<OrderView>(GET_ORDER, { id })).toMatchObject({ status: "ORDER_CREATED", state: "queued" });
    await brew(server, `order_id=${id}`);
  });

  test("makePayment of what is paid at the counter is refused, with the words over HTTP", async () => {
    const { order_id: orderId } = await place(server);
    const detailOf = async (json: object) => ((await pay(server, json)).body as { detail: string }).detail;
    const conflict = await here().getError(MAKE, { orderId });
    expect(conflict).toMatchObject({ message: await detailOf({ order_id: orderId }) });
    expect(conflict.extensions).toMatchObject({ code: "payment_conflict", status: 409 });
    const none = await here().getError(MAKE, { orderId, method: GOOD_CARD });
    expect(none).toMatchObject({ message: await detailOf({ order_id: orderId, method: GOOD_CARD }) });
    expect(none.extensions).toMatchObject({ code: "no_cards", status: 409 });
    await cancelByCustomer(server, orderId);
  });
});

test("createOrder(wait: true) is held through its payment", async () => {
  const waiting = customers.get<OrderView>(CREATE, { wait: true });
  await untilHeld(server, 1);
  const { payments } = await staff.get<{ payments: readonly PaymentView[] }>(
    "{ getPaymentList(status: PAYMENT_PENDING) { payments { id } } }",
  );
  const [{ id } = { id: "" }] = payments;
  await staff.get(TAKE, { id });
  await brew(server, `order_id=${id}`);
  expect(await waiting).toEqual({ id, status: "ORDER_COMPLETED", state: "ready", paymentKind: "counter" });
});

test("refundPayment gives back what was taken, once", async () => {
  const { order_id: id } = await place(server, { item: "latte" });
  expect((await staff.getError(REFUND, { id, reason: "cold" })).message).toBe(
    "Nothing was taken that could be given back.",
  );
  await staff.get(TAKE, { id });
  expect((await staff.getError(REFUND, { id, reason: "cold" })).extensions.code).toBe("payment_conflict");
  await brew(server, `order_id=${id}`);
  const refunded = await staff.get<PaymentView>(REFUND, { id, reason: "cold", barista: "Ada" });
  expect(refunded).toMatchObject({
    status: "PAYMENT_REFUNDED",
    refundReason: "cold",
    refundedBy: "Ada",
    refundedAmount: 400,
  });
  expect(await staff.get<PaymentView>(REFUND, { id, reason: "again" })).toEqual(refunded);
});

test("errors of payments have the code and the words of the problems over HTTP", async () => {
  const id = crypto.randomUUID();
  const overHttp = (await ask(`${server.customers}/payment/${id}`)).body as { title: string; detail: string };
  const unknown = await customers.getError(GET, { id });
  expect(unknown).toMatchObject({ message: overHttp.detail, path: ["getPayment"] });
  expect(unknown.extensions).toEqual({ code: "payment_unknown", title: overHttp.title, status: 404 });
  expect((await staff.getError(TAKE, { id })).extensions.code).toBe("payment_unknown");
  expect((await staff.getError(REFUND, { id, reason: "cold" })).extensions.code).toBe("payment_unknown");

  expect((await customers.getError(MAKE, { orderId: "17" })).message).toBe("orderId must be the order's UUID");
  const faults = async (operation: string, variables: object): Promise<unknown> =>
    (await staff.getError(operation, { ...variables })).extensions.errors;
  expect(await faults(MAKE, { orderId: id, method: "two words" })).toMatchObject([{ field: "method" }]);
  expect(await faults(REFUND, { id, reason: "" })).toMatchObject([{ field: "reason" }]);
  expect(await faults(REFUND, { id, reason: "x".repeat(201) })).toMatchObject([{ field: "reason" }]);
  expect(await faults(TAKE, { id, barista: "" })).toMatchObject([{ field: "barista" }]);
  const list = "query ($date: String, $after: ID) { getPaymentList(date: $date, after: $after) { cursor } }";
  expect(await faults(list, { date: "2026-02-30" })).toMatchObject([{ field: "date" }]);
  expect(await faults(list, { after: id })).toMatchObject([{ field: "after" }]);
});

test("no client says an amount", async () => {
  const { errors } = await customers.run("mutation ($id: ID!) { makePayment(orderId: $id, amount: 1) { id } }", {
    id: crypto.randomUUID(),
  });
  expect(errors[0]).toMatchObject({ extensions: { code: "malformed_query", status: 400 } });
  expect(errors[0]?.message).toContain('Unknown argument "amount"');
});

test("getPaymentList: a day, a status, page by page; fulfilments are pending meanwhile", async () => {
  const fresh = await startServer({ PAYMENT: "counter" });
  const desk = new Operations(fresh.baristas);
  const ids: string[] = [];
  for (let n = 0; n < 3; n += 1) ids.push((await place(fresh)).order_id);
  const [first = "", second = "", third = ""] = ids;
  await desk.get(TAKE, { id: second });
  const list = `query ($date: String, $status: PaymentStatus, $first: Int, $after: ID) {
    getPaymentList(date: $date, status: $status, first: $first, after: $after) { cursor payments { id status } } }`;
  interface List {
    readonly cursor: string | null;
    readonly payments: readonly PaymentView[];
  }
  const idsIn = async (variables: Record<string, unknown>): Promise<string[]> =>
    (await desk.get<List>(list, variables)).payments.map(({ id }) => id);
  expect(await idsIn({})).toEqual(ids);
  expect(await idsIn({ status: "PAYMENT_PENDING" })).toEqual([first, third]);
  expect(await idsIn({ date: "2024-02-29" })).toEqual([]);
  const page = await desk.get<List>(list, { first: 2 });
  expect([page.cursor, await idsIn({ first: 2, after: page.cursor })]).toEqual([second, [third]]);
  const fulfilments = await desk.get<{ fulfilments: readonly OrderView[] }>(
    "{ getFulfilmentList { fulfilments { status order { status } } } }",
  );
  expect(fulfilments.fulfilments.map(({ status }) => status)).toEqual([
    "FULFILMENT_PENDING",
    "FULFILMENT_CREATED",
    "FULFILMENT_PENDING",
  ]);
  await fresh.stop();
});

describe("paymentUpdated", () => {
  test.each(["customers", "baristas"] as const)("of one order, on the %s' port: up to its last event", async (port) => {
    const { order_id: orderId } = await place(server);
    const stream = await openByGet(server[port], UPDATED, { orderId });
    const other = (await place(server)).order_id;
    await staff.get(TAKE, { id: other });
    await staff.get(TAKE, { id: orderId, barista: "Grace" });
    const frames = framesOf(await stream.text());
    expect(frames.map(({ event }) => event)).toEqual(["next", "complete"]);
    expect(viewsOf<PaymentView>(frames)).toMatchObject([
      { orderId, status: "PAYMENT_SUCCESSFUL", takenBy: "Grace", amount: 300 },
    ]);
    await brew(server, `order_id=${orderId}`);
    await brew(server, `order_id=${other}`);
  });

  test("of an order that is cancelled unpaid: it has failed", async () => {
    const { order_id: orderId } = await place(server);
    const stream = await openByGet(server.customers, UPDATED, { orderId });
    await cancelByCustomer(server, orderId);
    const frames = framesOf(await stream.text());
    expect(statusesOf(viewsOf(frames))).toEqual(["PAYMENT_FAILED"]);
    expect(frames.at(-1)?.event).toBe("complete");
  });

  test("of a payment that is over it comes at once, as it is; then the stream is complete", async () => {
    const { order_id: orderId } = await place(server);
    await staff.get(TAKE, { id: orderId });
    const heard = new Heard<PaymentView>(openStreams(server.customers), UPDATED, { orderId });
    await heard.untilOver();
    expect([heard.end, heard.views]).toEqual(["complete", [await customers.get<PaymentView>(GET, { id: orderId })]]);
    await applyVerb(server, "cancel", orderId);
    await staff.get(REFUND, { id: orderId, reason: "cold" });
    expect(statusesOf(viewsOf(framesOf(await listenByGet(server.customers, UPDATED, { orderId }))))).toEqual([
      "PAYMENT_REFUNDED",
    ]);
  });

  test("is resumed by Last-Event-ID: each event once, right behind the one that was heard", async () => {
    const { order_id: orderId } = await place(server);
    await staff.get(TAKE, { id: orderId });
    await brew(server, `order_id=${orderId}`);
    const resume = async (after?: string) => framesOf(await listenByGet(server.customers, UPDATED, { orderId }, after));
    const [taken] = await resume("0-0");
    expect(statusesOf(viewsOf(await resume("0-0")))).toEqual(["PAYMENT_SUCCESSFUL"]);
    expect((await resume(taken?.id)).map(({ event }) => event)).toEqual(["complete"]);
    await staff.get(REFUND, { id: orderId, reason: "cold" });
    expect(statusesOf(viewsOf(await resume(taken?.id)))).toEqual(["PAYMENT_REFUNDED"]);
    const all = await resume("0-0");
    expect(statusesOf(viewsOf(all))).toEqual(["PAYMENT_SUCCESSFUL", "PAYMENT_REFUNDED"]);
    expect((await resume(all.at(1)?.id)).map(({ event }) => event)).toEqual(["complete"]);
  });

  test("of what is not paid for, or not known, is an error, and complete", async () => {
    const heard = new Heard(openStreams(server.customers), UPDATED, { orderId: crypto.randomUUID() });
    await heard.untilOver();
    expect([heard.end, heard.results[0]?.errors?.[0]]).toMatchObject([
      "complete",
      { path: ["paymentUpdated"], extensions: { code: "payment_unknown" } },
    ]);
  });

  test("staff hear of all, and it goes on", async () => {
    const [one, other] = [(await place(server)).order_id, (await place(server)).order_id];
    const heard = new Heard<PaymentView>(
      openStreams(server.baristas),
      "subscription { paymentUpdated { orderId status refundReason } }",
    );
    const spare: string[] = [];
    await until(async () => {
      const { order_id } = await place(server);
      spare.push(order_id);
      await cancelByCustomer(server, order_id);
      return heard.views.length > 0;
    }, "the subscription listens");
    await staff.get(TAKE, { id: one });
    await cancelByCustomer(server, other);
    await brew(server, `order_id=${one}`);
    await staff.get(REFUND, { id: one, reason: "cold" });
    await until(() => heard.views.some(({ status }) => status === "PAYMENT_REFUNDED"), "the refund is heard");
    const views = heard.views.filter(({ orderId }) => !spare.includes(orderId));
    expect(views.map(({ orderId, status }) => [orderId, status])).toEqual([
      [one, "PAYMENT_SUCCESSFUL"],
      [other, "PAYMENT_FAILED"],
      [one, "PAYMENT_REFUNDED"],
    ]);
    expect(heard.end).toBeUndefined();
    heard.stop();
  });
});

test("orderUpdated and fulfilmentUpdated show that an order was unpaid, and is paid", async () => {
  const fresh = await startServer({ PAYMENT: "counter" });
  const heard = new Heard<OrderView & { readonly order: OrderView }>(
    openStreams(fresh.baristas),
    "subscription { fulfilmentUpdated { id status order { paymentKind } } }",
  );
  let id = "";
  await until(async () => {
    id = (await place(fresh)).order_id;
    return heard.views.length > 0;
  }, "the subscription listens");
  const query = "subscription ($id: ID!) { orderUpdated(id: $id) { status state paymentKind } }";
  const stream = await openByGet(fresh.customers, query, { id });
  await new Operations(fresh.baristas).get(TAKE, { id });
  await brew(fresh, `order_id=${id}`);
  const orders = viewsOf<OrderView>(framesOf(await stream.text()));
  expect(orders.map(({ status, state }) => [status, state])).toEqual([
    ["ORDER_CREATED", "queued"],
    ["ORDER_CREATED", "queued"],
    ["ORDER_CREATED", "brewing"],
    ["ORDER_COMPLETED", "ready"],
  ]);
  expect(new Set(orders.map(({ paymentKind }) => paymentKind))).toEqual(new Set(["counter"]));
  await until(() => heard.views.at(-1)?.status === "FULFILMENT_COMPLETED", "the last one is heard");
  const views = heard.views.filter((view) => view.id === id);
  expect(views.map(({ status, order }) => [status, order.paymentKind])).toEqual([
    ["FULFILMENT_PENDING", "counter"],
    ["FULFILMENT_CREATED", "counter"],
    ["FULFILMENT_COMPLETED", "counter"],
  ]);
  heard.stop();
  expect((await lookAtQueue(fresh)).depth).toBe(0);
  await fresh.stop();
});
