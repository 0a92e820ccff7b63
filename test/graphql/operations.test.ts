/** Queries and mutations of both ports, by a client of a public library. */
import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { ask, applyVerb, brew, expectOrder, lookAtQueue, order, place, start, untilHeld } from "../support/http.ts";
import { startServer, type Server } from "../support/server.ts";
import { changeShop, patchShop, readMenu } from "../support/shop.ts";
import { Operations } from "./client.ts";

setDefaultTimeout(60_000);

let server: Server;
let customers: Operations;
let staff: Operations;

beforeAll(async () => {
  server = await startServer({ LIMIT_CAPACITY: "1000" });
  customers = new Operations(server.customers);
  staff = new Operations(server.baristas);
});

interface OrderView {
  readonly id: string;
  readonly number: number | null;
  readonly status: string;
  readonly state: string;
  readonly [field: string]: unknown;
}

const GET_ORDER = `query ($id: ID!) { getOrder(id: $id) {
  id number queue status state reason item price modifiers { name option } note customerId customerName barista
  attempts input result error progress { percent message } retryOf retriedBy notBefore placedAt startedAt finishedAt
  position etaSeconds } }`;
const CREATE = `mutation ($item: String, $modifiers: [ModifierInput!], $note: String, $customerId: String,
  $customerName: String, $code: String, $notBefore: DateTime, $wait: Boolean, $idempotencyKey: String) {
  createOrder(item: $item, modifiers: $modifiers, note: $note, customerId: $customerId, customerName: $customerName,
    code: $code, notBefore: $notBefore, wait: $wait, idempotencyKey: $idempotencyKey) {
    id number status state item note customerName notBefore modifiers { name option } barista finishedAt } }`;
const CANCEL = "mutation ($id: ID!) { cancelOrder(id: $id) { id status state reason } }";
const COMPLETE = `mutation ($id: ID!, $barista: String) { completeFulfilment(id: $id, barista: $barista) {
  id status order { status state barista } } }`;
const REJECT = `mutation ($id: ID!, $barista: String) { rejectFulfilment(id: $id, barista: $barista) {
  id status order { state reason } } }`;

describe.each(["customers", "baristas"] as const)("the %s' port", (port) => {
  const here = () => (port === "customers" ? customers : staff);

  test("getCoffees: the menu as it is over HTTP", async () => {
    const query = "{ getCoffees { id name description price available modifiers { name options } icon } }";
    expect(await here().get<unknown>(query)).toEqual(await readMenu(server));
  });

  test("createOrder, getOrder, cancelOrder", async () => {
    const modifiers = [{ name: "milk", option: "oat" }];
    const wanted = { item: "latte", modifiers, note: "heiß, bitte", customerId: "c-1", customerName: "Ada" };
    const placed = await here().get<OrderView>(CREATE, wanted);
    expect(placed).toMatchObject({
      status: "ORDER_CREATED",
      state: "queued",
      item: "latte",
      modifiers,
      note: wanted.note,
    });
    const found = await here().get<OrderView>(GET_ORDER, { id: placed.id.toUpperCase() });
    expect(found).toMatchObject({
      id: placed.id,
      price: 400,
      customerId: "c-1",
      attempts: 0,
      position: 1,
      result: null,
    });
    const cancelled = { id: placed.id, status: "ORDER_CANCELLED", state: "cancelled", reason: "customer" };
    expect(await here().get<unknown>(CANCEL, { id: placed.id })).toEqual(cancelled);
  });

  test("createOrder(wait: true) is held, and has the order once it is ready", async () => {
    const waiting = here().get<OrderView>(CREATE, { item: "mocha", wait: true });
    await untilHeld(server, 1);
    const { order_id } = await start(server, "barista=Grace");
    expectOrder(await applyVerb(server, "finish", order_id, "", { json: { cups: 2 } }));
    const done = await waiting;
    expect(done).toMatchObject({ id: order_id, status: "ORDER_COMPLETED", state: "ready", barista: "Grace" });
    expect((await here().get<OrderView>(GET_ORDER, { id: order_id })).result).toEqual({ cups: 2 });
  });
});

test("one that waits ends when its order is cancelled, too", async () => {
  const waiting = customers.get<OrderView>(CREATE, { wait: true });
  await untilHeld(server, 1);
  const { order_id } = await start(server);
  expectOrder(await applyVerb(server, "cancel", order_id));
  expect(await waiting).toMatchObject({ id: order_id, status: "ORDER_CANCELLED", state: "cancelled" });
});

test("a client that leaves while it waits is held no more", async () => {
  const leaving = new AbortController();
  const body = JSON.stringify({ query: "mutation { createOrder(wait: true) { id } }" });
  const headers = { "Content-Type": "application/json" };
  const sent = fetch(`${server.customers}/graphql`, { method: "POST", headers, body, signal: leaving.signal });
  sent.catch(() => {});
  await untilHeld(server, 1);
  leaving.abort();
  await untilHeld(server, 0);
  await brew(server);
  // It is no fault of the server.
  expect(server.log().filter(({ level }) => Number(level) >= 50)).toEqual([]);
});

test("the same idempotencyKey is the same order, as over HTTP; with other arguments it is refused", async () => {
  const idempotencyKey = crypto.randomUUID();
  const first = await customers.get<OrderView>(CREATE, { item: "latte", idempotencyKey });
  const again = await customers.get<OrderView>(CREATE, { item: "latte", idempotencyKey });
  expect(again.id).toBe(first.id);
  const headers = { "Idempotency-Key": idempotencyKey, Prefer: "respond-async" };
  expect(expectOrder(await order(server, { item: "latte" }, { headers }), {}, 202).order_id).toBe(first.id);
  const { extensions } = await customers.getError(CREATE, { item: "mocha", idempotencyKey });
  expect(extensions).toMatchObject({ code: "idempotency_mismatch", status: 422 });
  const waiting = customers.get<OrderView>(CREATE, { item: "latte", idempotencyKey, wait: true });
  await untilHeld(server, 1);
  await brew(server);
  expect(await waiting).toMatchObject({ id: first.id, state: "ready" });
});

test("notBefore schedules", async () => {
  const notBefore = new Date(Date.now() + 3_600_000).toISOString();
  const placed = await customers.get<OrderView>(CREATE, { notBefore });
  expect(placed).toMatchObject({ status: "ORDER_CREATED", state: "scheduled", notBefore });
  await customers.get(CANCEL, { id: placed.id });
});

test("staff complete and reject fulfilments, and list them and orders", async () => {
  const fresh = await startServer();
  const desk = new Operations(fresh.baristas);
  const ids: string[] = [];
  for (const customer_id of ["ada", "bob", "ada"]) ids.push((await place(fresh, { customer_id })).order_id);
  const [first, second, third] = ids;
  expect(await desk.get<unknown>(COMPLETE, { id: first, barista: "Grace" })).toMatchObject({
    id: first,
    status: "FULFILMENT_COMPLETED",
    order: { status: "ORDER_COMPLETED", state: "ready", barista: "Grace" },
  });
  expect(await desk.get<unknown>(REJECT, { id: second })).toMatchObject({
    id: second,
    status: "FULFILMENT_REJECTED",
    order: { state: "cancelled", reason: "barista" },
  });
  const list = `query ($date: String, $customerId: String, $first: Int, $after: ID) {
    getOrderList(date: $date, customerId: $customerId, first: $first, after: $after) { cursor orders { id state } } }`;
  interface List {
    readonly cursor: string | null;
    readonly orders: readonly OrderView[];
  }
  const all = await desk.get<List>(list);
  expect(all.orders.map(({ id, state }) => [id, state])).toEqual([
    [first ?? "", "ready"],
    [second ?? "", "cancelled"],
    [third ?? "", "queued"],
  ]);
  expect((await desk.get<List>(list, { customerId: "ada" })).orders.map(({ id }) => id)).toEqual([
    first ?? "",
    third ?? "",
  ]);
  expect((await desk.get<List>(list, { date: "2024-02-29" })).orders).toEqual([]);
  const page = await desk.get<List>(list, { first: 2 });
  expect((await desk.get<List>(list, { first: 2, after: page.cursor })).orders.map(({ id }) => id)).toEqual([
    third ?? "",
  ]);
  const fulfilments = await desk.get<{ fulfilments: readonly OrderView[] }>(
    "{ getFulfilmentList { cursor fulfilments { id status order { id } } } }",
  );
  expect(fulfilments.fulfilments.map(({ status }) => status)).toEqual([
    "FULFILMENT_COMPLETED",
    "FULFILMENT_REJECTED",
    "FULFILMENT_CREATED",
  ]);
  await fresh.stop();
});

test("errors have the code and the words of the problems over HTTP", async () => {
  const id = crypto.randomUUID();
  const overHttp = (await ask(`${server.customers}/order/${id}`)).body as { title: string; detail: string };
  const unknown = await customers.getError(GET_ORDER, { id });
  expect(unknown).toMatchObject({ message: overHttp.detail, path: ["getOrder"] });
  expect(unknown.extensions).toEqual({ code: "order_unknown", title: overHttp.title, status: 404 });

  const fault = await customers.getError(CREATE, { customerName: "", item: "unsaid" });
  expect(fault.extensions).toMatchObject({ code: "invalid_input", errors: [{ field: "customerName" }] });
  expect((await customers.getError(CREATE, { item: "unsaid" })).message).toContain("must be on the menu");
  expect((await customers.getError(CREATE, { idempotencyKey: "ö" })).message).toStartWith("idempotencyKey must be");
  const twice = [1, 2].map(() => ({ name: "milk", option: "oat" }));
  expect((await customers.getError(CREATE, { modifiers: twice })).message).toStartWith("modifiers must have");
  expect((await customers.getError(GET_ORDER, { id: "17" })).message).toBe("id must be the order's UUID");
  expect((await staff.getError(COMPLETE, { id, barista: "" })).extensions.code).toBe("invalid_input");
  const list = "query ($date: String, $first: Int) { getOrderList(date: $date, first: $first) { cursor } }";
  expect((await staff.getError(list, { date: "2026-02-30" })).extensions).toMatchObject({
    errors: [{ field: "date" }],
  });
  expect((await staff.getError(list, { first: 201 })).extensions).toMatchObject({ errors: [{ field: "first" }] });

  const { order_id } = await place(server);
  await brew(server, `order_id=${order_id}`);
  const conflict = (
    await ask(`${server.customers}/order/${order_id}`, { method: "PATCH", json: { status: "cancelled" } })
  ).body as { detail: string };
  const refused = await customers.getError(CANCEL, { id: order_id });
  expect(refused.message).toBe(conflict.detail);
  expect(refused.extensions).toMatchObject({ code: "order_conflict", status: 409, order_status: "ready" });
  expect((await staff.getError(REJECT, { id: order_id })).extensions.code).toBe("order_conflict");

  await changeShop(server, { open: false });
  const closed = await customers.getError(CREATE);
  expect(closed.extensions).toMatchObject({ code: "shop_closed", status: 503, retry_after_seconds: 60 });
  await patchShop(server, { open: true });
});

test("each createOrder takes a token of the address's limit, also several in one request", async () => {
  const limited = await startServer({ LIMIT_CAPACITY: "3", LIMIT_REFILL_PER_SECOND: "0.01" });
  const { data, errors } = await new Operations(limited.customers).run<Record<string, unknown>>(
    "mutation { a: createOrder { id } b: createOrder { id } c: createOrder { id } d: createOrder { id } }",
  );
  expect(Object.values(data ?? {}).map((placed) => placed !== null)).toEqual([true, true, true, false]);
  expect(errors.map(({ path, extensions }) => [path, extensions.code])).toEqual([[["d"], "too_many_orders"]]);
  expect(errors[0]?.extensions.retry_after_seconds).toBeGreaterThan(0);
  expect((await lookAtQueue(limited)).depth).toBe(3);
  await limited.stop();
});

test("a server that stops answers one that waits with its order as it is, and the same key goes on", async () => {
  const shop = `test-${crypto.randomUUID()}`;
  const [one, other] = await Promise.all([startServer({ SHOP: shop }), startServer({ SHOP: shop })]);
  const idempotencyKey = crypto.randomUUID();
  const waiting = new Operations(one.customers).get<OrderView>(CREATE, { wait: true, idempotencyKey });
  await untilHeld(one, 1);
  const stopping = one.stop();
  const { id, state } = await waiting;
  expect(state).toBe("queued");
  const goingOn = new Operations(other.customers).get<OrderView>(CREATE, { wait: true, idempotencyKey });
  await untilHeld(other, 1);
  await brew(other);
  expect(await goingOn).toMatchObject({ id, state: "ready" });
  expect(await stopping).toBe(0);
  await other.stop();
});

test("an answer that takes long has signs of life, and ends as one result", async () => {
  const patient = await startServer({ HEARTBEAT_SECONDS: "1" });
  const body = JSON.stringify({ query: "mutation { createOrder(wait: true) { state } }" });
  const headers = { "Content-Type": "application/json" };
  const answer = await fetch(`${patient.customers}/graphql`, { method: "POST", headers, body });
  expect(answer.status).toBe(200);
  await brew(patient);
  const text = await answer.text();
  expect(text).toStartWith(" ");
  expect(JSON.parse(text)).toEqual({ data: { createOrder: { state: "ready" } } });
  await patient.stop();
});
