/** Scheduled orders: placed now, queued at their time, and until then in nobody's way. */
import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { EventClient } from "../events/client.ts";
import { ahead, call, findQueue, placeCall } from "../support/calls.ts";
import {
  applyVerb,
  ask,
  brew,
  cancelByCustomer,
  expectOrder,
  expectProblem,
  lookAtQueue,
  order,
  place,
  start,
  untilHeld,
  type WireOrder,
} from "../support/http.ts";
import { startServer, type Server } from "../support/server.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(60_000);

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

let here: Server;
let there: Server;
beforeAll(async () => {
  const shop = { SHOP: `scheduled-${crypto.randomUUID()}`, QUEUES: "work" };
  [here, there] = await Promise.all([startServer(shop), startServer(shop)]);
});

/** Places an order for an hour from now. */
const schedule = (draft: object = {}): Promise<WireOrder> => place(here, { ...draft, not_before: ahead(HOUR_MS) });

test("is held through its time until it is ready, and its events say so", async () => {
  const shop = await EventClient.open(`${there.baristas}/events`);
  const notBefore = ahead(1500);
  const waiting = order(here, { item: "latte", not_before: notBefore });
  await untilHeld(here, 1);
  expectProblem(await ask(`${there.baristas}/start/`), 404);
  const started = await start(there, "wait=20&barista=Grace");
  expect(started).toMatchObject({ item: "latte", not_before: notBefore, attempts: 1 });
  expect(Date.parse(started.started_at ?? "")).toBeGreaterThanOrEqual(Date.parse(notBefore));
  expectOrder(await applyVerb(there, "finish", started.order_id));
  expectOrder(await waiting, { order_id: started.order_id, status: "ready", not_before: notBefore });
  await shop.untilHeard(4);
  expect(shop.types).toEqual(["order.scheduled", "order.queued", "order.started", "order.finished"]);
  const statuses = ["scheduled", "queued", "brewing", "ready"];
  expect(shop.events.map(({ data }) => data)).toMatchObject(statuses.map((status) => ({ status })));
  shop.hangUp();
});

test("a call is scheduled by its query, and held too", async () => {
  const notBefore = ahead(1000);
  const waiting = call(here, `work?not_before=${notBefore}`, "in");
  await untilHeld(here, 1);
  expect(await findQueue(here, "work")).toMatchObject({ depth: 0, scheduled: 1, oldest_waiting_seconds: null });
  const { order_id } = await start(there, "queue=work&wait=20");
  await applyVerb(there, "finish", order_id, "", { json: "out" });
  expectOrder(await waiting, { order_id, not_before: notBefore, result: "out" });
});

describe("until its time", () => {
  test("it has no position, and counts neither in the queue nor at the shop", async () => {
    const { order_id, ...scheduled } = await schedule({ item: "mocha" });
    expect(scheduled).toMatchObject({ status: "scheduled", item: "mocha", attempts: 0 });
    for (const name of ["position", "eta_seconds", "barista"]) expect(scheduled).not.toHaveProperty(name);
    const queued = await place(here);
    expect(queued.position).toBe(1);
    expect(await lookAtQueue(there)).toMatchObject({ depth: 1, brewing: 0 });
    expect((await ask(`${there.customers}/shop`)).body).toMatchObject({ queue_length: 1 });
    expect((await brew(there)).order_id).toBe(queued.order_id);
    expect(await lookAtQueue(there)).toMatchObject({ depth: 0, oldest_waiting_seconds: null });
    const found = await ask(`${there.baristas}/order/?status=scheduled`);
    expect(found.body).toMatchObject({ orders: [{ order_id, status: "scheduled" }] });
    expectOrder(await cancelByCustomer(there, order_id));
  });

  test("no barista starts it, not even by its id; nor finishes, fails or releases it", async () => {
    const { order_id } = await schedule();
    const starting = expectProblem(await ask(`${here.baristas}/start/?order_id=${order_id}`), 409);
    expect(starting.order_status).toBe("scheduled");
    for (const verb of ["finish", "release", "extend"] as const) {
      expect(expectProblem(await applyVerb(here, verb, order_id), 409).order_status).toBe("scheduled");
    }
    const failing = applyVerb(here, "fail", order_id, "", { json: { error: "x" } });
    expect(expectProblem(await failing, 409).order_status).toBe("scheduled");
    expectOrder(await ask(`${here.customers}/order/${order_id}`), { status: "scheduled", attempts: 0 });
    expectOrder(await applyVerb(there, "cancel", order_id), { status: "cancelled", reason: "barista" });
  });

  test("its customer cancels it: who waits for it is notified", async () => {
    const { order_id } = await schedule();
    const waiting = ask(`${there.customers}/order/${order_id}?wait`);
    await untilHeld(there, 1);
    const end = { status: "cancelled", reason: "customer", attempts: 0 } as const;
    expectOrder(await cancelByCustomer(here, order_id), end);
    expectOrder(await waiting, end);
    expectOrder(await cancelByCustomer(here, order_id), end);
  });

  test("a call is not started by its id either", async () => {
    const { order_id } = await placeCall(here, `work?not_before=${ahead(HOUR_MS)}`);
    expect(expectProblem(await ask(`${here.baristas}/start/?order_id=${order_id}`), 409).order_status).toBe(
      "scheduled",
    );
    expectOrder(await cancelByCustomer(here, order_id));
  });
});

test("it takes its place by the number that it was placed under: before those that were placed meanwhile", async () => {
  const early = await place(here, { not_before: ahead(1000) });
  const later = await place(here);
  const isQueued = async () => expectOrder(await ask(`${here.customers}/order/${early.order_id}`)).status === "queued";
  await until(isQueued, "it is queued");
  expectOrder(await ask(`${here.customers}/order/${later.order_id}`), { position: 2 });
  expect((await start(there)).order_id).toBe(early.order_id);
  expect(early.number).toBeLessThan(later.number);
  for (const id of [early.order_id, later.order_id]) expectOrder(await applyVerb(there, "cancel", id));
});

test("up to seven days ahead, in any zone; it is shown in UTC", async () => {
  const in7Days = Date.now() + 7 * DAY_MS - 60_000;
  const elsewhere = `${new Date(in7Days + 2 * HOUR_MS).toISOString().slice(0, -1)}+02:00`;
  const placed = await place(here, { not_before: elsewhere });
  expect(placed).toMatchObject({ status: "scheduled", not_before: new Date(in7Days).toISOString() });
  expectOrder(await cancelByCustomer(here, placed.order_id));
});

test.each([
  ["in the past", "2020-01-01T00:00:00Z"],
  ["beyond seven days", ahead(7 * DAY_MS + HOUR_MS)],
  ["that is no time", "tomorrow"],
  ["without a zone", "2026-11-20T09:30:00"],
  ["that is a number", 1_800_000_000],
  ["that is null", null],
])("a time %s is 422 and names the field; nothing is placed", async (_what, not_before) => {
  const answer = await order(here, { not_before }, { headers: { Prefer: "respond-async" } });
  expectProblem(answer, 422, "not_before");
  const found = await ask(`${here.baristas}/order/?status=scheduled`);
  expect(found.body).toEqual({ orders: [], cursor: null });
  expect((await lookAtQueue(here)).depth).toBe(0);
});

test("the same key with another time is another body", async () => {
  const headers = { "Idempotency-Key": crypto.randomUUID() };
  const notBefore = ahead(HOUR_MS);
  const { order_id } = await place(here, { not_before: notBefore }, { headers });
  const again = await place(there, { item: "americano", not_before: notBefore }, { headers });
  expect(again).toMatchObject({ order_id, status: "scheduled" });
  for (const draft of [{}, { not_before: ahead(2 * HOUR_MS) }]) {
    expect(expectProblem(await order(here, draft, { headers }), 422).type).toEndWith("idempotency_mismatch");
  }
  expectOrder(await cancelByCustomer(here, order_id));
});
