/** Calls: any JSON into a queue of machines, held, and answered with its result by a worker anywhere. */
import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { EventClient } from "../events/client.ts";
import { ahead, call, findQueue, listQueues, placeCall } from "../support/calls.ts";
import {
  applyVerb,
  ask,
  cancelByCustomer,
  expectOrder,
  expectProblem,
  expectStatus,
  lookAtQueue,
  place,
  start,
  untilHeld,
  type Asking,
} from "../support/http.ts";
import { startServer, type Server } from "../support/server.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(60_000);

const QUEUES = "work, mail max_attempts=1";

let here: Server;
let there: Server;
beforeAll(async () => {
  const shop = { SHOP: `calls-${crypto.randomUUID()}`, QUEUES };
  [here, there] = await Promise.all([startServer(shop), startServer(shop)]);
});

const startCall = (ports: Server, query = "barista=worker-1&wait=10") => start(ports, `queue=work&${query}`);
const finishWith = (ports: Server, id: string, json: unknown) => applyVerb(ports, "finish", id, "", { json });

describe("a call", () => {
  test("is held, and answered with its result by a worker at another replica", async () => {
    const waiting = call(here, "work", { add_up_to: 10 });
    const started = await startCall(there);
    expect(started).toMatchObject({ queue: "work", input: { add_up_to: 10 }, barista: "worker-1", attempts: 1 });
    expectStatus(await finishWith(there, started.order_id, 55), 200);
    const got = expectOrder(await waiting);
    expect<object>(got).toEqual({
      order_id: started.order_id,
      number: 1,
      queue: "work",
      status: "ready",
      attempts: 1,
      barista: "worker-1",
      placed_at: started.placed_at,
      started_at: started.started_at ?? "",
      finished_at: got.finished_at ?? "",
      input: { add_up_to: 10 },
      result: 55,
    });
    for (const base of [here.customers, there.customers, here.baristas]) {
      expectOrder(await ask(`${base}/order/${got.order_id}?wait`), got);
    }
  });

  test("that fails is a 200 too, cancelled, and says why", async () => {
    const waiting = call(here, "mail");
    const { order_id } = await start(there, "queue=mail&wait=10");
    await applyVerb(there, "fail", order_id, "", { json: { error: "no such address" } });
    const end = { status: "cancelled", reason: "machine_error", error: "no such address", attempts: 1 } as const;
    expectOrder(await waiting, end);
  });

  test("is no order of the counter: baristas there are not given it, and its number is its queue's", async () => {
    const first = await placeCall(here, "work");
    const second = await placeCall(there, "work");
    expect(second.number).toBe(first.number + 1);
    expect(second.position).toBe(2);
    expectProblem(await ask(`${here.baristas}/start/`), 404);
    expect((await lookAtQueue(here)).depth).toBe(0);
    expect((await ask(`${here.customers}/shop`)).body).toMatchObject({ queue_length: 0 });
    const found = (await ask(`${here.baristas}/order/?queue=work&status=queued`)).body;
    expect(found).toMatchObject({ orders: [first, second].map(({ order_id }) => ({ order_id })), cursor: null });
    expect((await ask(`${here.baristas}/order/`)).body).toEqual({ orders: [], cursor: null });
    expectProblem(await ask(`${here.baristas}/order/?queue=work&customer_id=ada`), 422, "customer_id");
    for (const { order_id } of [first, second]) expectOrder(await cancelByCustomer(here, order_id));
  });

  test.each(["null", "0", '""', "false", "[]", "{}", '{"__proto__":1}', '"<\\/script>"', '"\\u0000\\u2028"', "1e20"])(
    "may have %s as its input",
    async (json) => {
      const { order_id } = await placeCall(here, "work", undefined, { body: ` ${json}\r\n` });
      const started = await ask(`${there.baristas}/start/?queue=work`);
      expectOrder(started, { order_id });
      expect(started.text).toEndWith(`"input":${JSON.stringify(JSON.parse(json))}}`);
      expectOrder(await finishWith(there, order_id, "made"), { result: "made" });
    },
  );

  test("may have 256 KB and 100 levels as its input, also from curl -d", async () => {
    const headers = { "Content-Type": "application/x-www-form-urlencoded" };
    const big = await placeCall(here, "work", "x".repeat(256 * 1024 - 2), { headers });
    const high = await placeCall(here, "work", undefined, { body: "[".repeat(100) + "]".repeat(100) });
    expect((await startCall(there)).input).toBe("x".repeat(256 * 1024 - 2));
    for (const { order_id } of [big, high]) expectOrder(await applyVerb(here, "cancel", order_id));
  });
});

describe("what a customer prefers", () => {
  test("respond-async: 202 at once, and the wait goes on at the order", async () => {
    const answer = await call(here, "work", [1], { headers: { Prefer: "respond-async" } });
    const { order_id } = expectOrder(answer, { queue: "work", status: "queued", input: [1], position: 1 }, 202);
    expect(answer.headers).toMatchObject({ location: `/order/${order_id}`, "preference-applied": "respond-async" });
    const goingOn = ask(`${there.customers}/order/${order_id}?wait`);
    await untilHeld(there, 1);
    await startCall(here);
    await finishWith(here, order_id, null);
    expectOrder(await goingOn, { status: "ready", result: null });
  });

  test("wait=N: 202 when that is over, 200 when the result comes before", async () => {
    const over = await call(here, "work", {}, { headers: { Prefer: "wait=1" } });
    const { order_id } = expectOrder(over, { status: "queued" }, 202);
    expect(over.headers["preference-applied"]).toBe("wait=1");
    await startCall(there);
    await finishWith(there, order_id, 1);
    const soon = call(here, "work", {}, { headers: { Prefer: "wait=60" } });
    await finishWith(there, (await startCall(there)).order_id, 2);
    expectOrder(await soon, { status: "ready", result: 2 });
  });
});

describe("an Idempotency-Key", () => {
  test("joins the first call; with another input, or in another queue, it is refused", async () => {
    const headers = { "Idempotency-Key": "one call" };
    const first = call(here, "work", { a: 1 }, { headers });
    await untilHeld(here, 1);
    const second = call(there, "work", { a: 1 }, { headers });
    await untilHeld(there, 1);
    expect(expectProblem(await call(here, "work", { a: 2 }, { headers }), 422).type).toEndWith("idempotency_mismatch");
    expect(expectProblem(await call(here, "mail", { a: 1 }, { headers }), 422).type).toEndWith("idempotency_mismatch");
    expect(await findQueue(here, "work")).toMatchObject({ depth: 1, brewing: 0 });
    const { order_id } = await startCall(there);
    await finishWith(there, order_id, "once");
    for (const answer of [await first, await second]) expectOrder(answer, { order_id, result: "once" });
    expectOrder(await call(here, "work", { a: 1 }, { headers }), { order_id, result: "once" });
    expect(await findQueue(here, "mail")).toMatchObject({ depth: 0 });
  });

  test("joins it too once its not_before is in the past", async () => {
    const headers = { "Idempotency-Key": crypto.randomUUID(), Prefer: "respond-async" };
    const queue = `work?not_before=${ahead(1000)}`;
    const first = expectOrder(await call(here, queue, {}, { headers }), { status: "scheduled" }, 202);
    const started = await startCall(there, "wait=20");
    expect(started.order_id).toBe(first.order_id);
    expectOrder(await call(here, queue, {}, { headers }), { order_id: first.order_id, status: "brewing" }, 202);
    await finishWith(there, first.order_id, 1);
    expectOrder(await call(there, queue, {}, { headers }), { order_id: first.order_id, result: 1 });
  });
});

test("events say what happens to a call, without its input and its result", async () => {
  const shop = await EventClient.open(`${there.baristas}/events`);
  const { order_id } = await placeCall(here, "work", { secret: "input" });
  const events = await EventClient.open(`${there.customers}/order/${order_id}/events`);
  await startCall(there);
  const progress = (json: unknown) => ask(`${there.baristas}/progress/?order_id=${order_id}`, { method: "POST", json });
  expectOrder(await progress({ percent: 40, message: "milk" }), {
    status: "brewing",
    progress: { percent: 40, message: "milk" },
  });
  expectOrder(await ask(`${here.customers}/order/${order_id}`), { progress: { percent: 40, message: "milk" } });
  expect(expectOrder(await finishWith(here, order_id, "secret result"))).not.toHaveProperty("progress");
  expect(await events.untilOver()).toBe("ended");
  await shop.untilHeard(4);
  expect(shop.types).toEqual(["order.placed", "order.started", "order.progressed", "order.finished"]);
  for (const { data } of shop.events) expect(data).toMatchObject({ order_id, queue: "work" });
  expect(shop.events[2]?.data).toMatchObject({ progress: { percent: 40, message: "milk" } });
  expect(events.types.slice(-3)).toEqual(shop.types.slice(-3));
  expect(JSON.stringify([shop.events, events.events])).not.toContain("secret");
  shop.hangUp();
});

test("events can be those of one queue, live and for who comes back", async () => {
  const own = await startServer({ QUEUES: "work, mail" });
  const open = (query: string, after?: string) => EventClient.open(`${own.baristas}/events?${query}`, after);
  const live = await Promise.all(
    ["queue=work", "queue=default", "queue=mail&type=order.placed"].map((query) => open(query)),
  );
  const { order_id: cup } = await place(own, { note: '{"queue":"work"}' });
  const { order_id: work } = await placeCall(own, "work", { queue: "mail" });
  const { order_id: mail } = await placeCall(own, "mail");
  expectOrder(await cancelByCustomer(own, work));
  expectStatus(await ask(`${own.baristas}/shop`, { method: "PATCH", json: { open: false } }), 200);
  await Promise.all([live[0]?.untilHeard(3), live[1]?.untilHeard(2), live[2]?.untilHeard(1)]);
  const heard = [[work, work, "the shop"], [cup, "the shop"], [mail]];
  const subjects = ({ events }: EventClient) => events.map(({ subject }) => subject ?? "the shop");
  expect(live.map(subjects)).toEqual(heard);
  const back = await Promise.all(["queue=work", "queue=default"].map((query) => open(query, "0-0")));
  await Promise.all([back[0]?.untilHeard(3), back[1]?.untilHeard(2)]);
  expect(back.map(subjects)).toEqual(heard.slice(0, 2));
  expectProblem(await ask(`${own.baristas}/events?queue=a.b`), 422, "queue");
  await own.stop();
});

test("its customer cancels it while it is queued: who waits for it is notified", async () => {
  const headers = { "Idempotency-Key": crypto.randomUUID() };
  const waiting = call(here, "work", {}, { headers });
  await untilHeld(here, 1);
  const answer = await call(there, "work", {}, { headers: { ...headers, Prefer: "respond-async" } });
  const { order_id } = expectOrder(answer, {}, 202);
  expectOrder(await cancelByCustomer(there, order_id), { status: "cancelled", reason: "customer" });
  expectOrder(await waiting, { order_id, status: "cancelled", reason: "customer" });
  expectProblem(await ask(`${here.baristas}/start/?queue=work`), 404);
});

const deep = "[".repeat(101) + "]".repeat(101);

test.each<[what: string, status: number, asking: Asking, field: string | undefined]>([
  ["no body", 422, { body: "" }, "body"],
  ["more than 256 KB", 413, { body: JSON.stringify("x".repeat(256 * 1024 - 1)) }, undefined],
  ["more than 256 KB in one line", 413, { body: `[${"1e20,".repeat(20_000)}0]` }, undefined],
  ["what is not JSON", 400, { body: "{add_up_to:10}" }, undefined],
  ["another type", 415, { body: "{}", headers: { "Content-Type": "text/plain" } }, undefined],
  ["half a character", 422, { body: '{"a":{"b":"\\ud83d"}}' }, "a.b"],
  ["a number beyond what can be held", 422, { body: '{"a":[1,-1e400]}' }, "a.1"],
  ["one of 400 digits", 422, { body: "1".repeat(400) }, "body"],
  ["more than 100 levels", 422, { body: deep }, "body"],
  ["levels enough to break a parser", 422, { body: "[".repeat(100_000) }, "body"],
  ["a preference out of bounds", 422, { headers: { Prefer: "wait=86401" } }, "Prefer: wait"],
  ["a key that is none", 422, { headers: { "Idempotency-Key": "x".repeat(256) } }, "Idempotency-Key"],
])("a call with %s is refused with %d, and nothing is queued", async (_what, status, asking, field) => {
  expectProblem(await call(here, "work", {}, asking), status, field);
  expect(await findQueue(here, "work")).toMatchObject({ depth: 0, scheduled: 0, brewing: 0 });
});

test.each([
  ["work?not_before=soon", 422, "not_before"],
  ["work?not_before=2020-01-01T00:00:00Z", 422, "not_before"],
  [`work?not_before=${ahead(8 * 86_400_000)}`, 422, "not_before"],
  [`work?not_before=${ahead(60_000)}&not_before=${ahead(60_000)}`, 422, "not_before"],
  ["wörk", 422, "queue"],
  ["a%20b", 422, "queue"],
  ["x".repeat(65), 422, "queue"],
  ["coffee", 404, undefined],
  ["Work", 404, undefined],
  ["default", 404, undefined],
])("POST /queue/%s is refused with %d, and nothing is queued", async (queue, status, field) => {
  expectProblem(await call(here, encodeURI(queue).replace("%2520", "%20"), {}), status, field);
  for (const each of await listQueues(here)) expect(each).toMatchObject({ depth: 0, scheduled: 0, brewing: 0 });
  expect((await lookAtQueue(here)).depth).toBe(0);
});

test("GET /queue lists the queues, how busy they are, and who works there", async () => {
  const own = await startServer({ QUEUES: "thumbs, beans" });
  const empty = { depth: 0, scheduled: 0, brewing: 0, oldest_waiting_seconds: null, workers: [] };
  expect(await listQueues(own)).toEqual([
    { queue: "beans", ...empty },
    { queue: "thumbs", ...empty },
  ]);
  await placeCall(own, "thumbs");
  await placeCall(own, "thumbs");
  await placeCall(own, `thumbs?not_before=${ahead(3_600_000)}`);
  expectProblem(await ask(`${own.baristas}/start/?queue=beans&barista=Ada`), 404);
  await start(own, "queue=thumbs&barista=worker%20%22é%22");
  const [beans, thumbs] = await listQueues(own);
  expect(beans).toMatchObject({ ...empty, workers: [{ name: "Ada" }] });
  expect(thumbs).toMatchObject({ depth: 1, scheduled: 1, brewing: 1, workers: [{ name: 'worker "é"' }] });
  expect(thumbs?.oldest_waiting_seconds).toBeGreaterThanOrEqual(0);
  const measured = (await ask(`${own.baristas}/queue?queue=thumbs`)).body;
  expect(measured).toMatchObject({ queue: "thumbs", depth: 1, brewing: 1 });
  await own.stop();
});

test("a server without queues has none: an empty list, and every call is 404", async () => {
  const own = await startServer();
  expect(await listQueues(own)).toEqual([]);
  expect(expectProblem(await call(own, "work"), 404).type).toEndWith("queue_unknown");
  await own.stop();
});

test("neither input, result nor progress stands in the log", async () => {
  const own = await startServer({ QUEUES: "work", LOG_LEVEL: "trace" });
  const { order_id } = await placeCall(own, "work", { secret: "Xy9input" });
  await start(own, "queue=work");
  await ask(`${own.baristas}/progress/?order_id=${order_id}`, { method: "POST", json: { message: "Xy9progress" } });
  await finishWith(own, order_id, "Xy9result");
  await until(() => own.log().some(({ path }) => String(path).includes("finish")), "the finish is logged");
  await own.stop();
  expect(JSON.stringify(own.log())).not.toContain("Xy9");
});
