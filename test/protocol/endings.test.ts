/**
 * How an order ends other than ready, and what baristas may do with it before: release, extend, cancel, or nothing at
 * all.
 */
import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  ask,
  cancelByCustomer,
  expectOrder,
  expectProblem,
  lookAtQueue,
  order,
  place,
  start,
  applyVerb,
  untilHeld,
  type WireOrder,
} from "../support/http.ts";
import { startServer, type Server } from "../support/server.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(60_000);

let server: Server;

beforeAll(async () => {
  server = await startServer();
});

async function search(ports: Server, query: string): Promise<WireOrder[]> {
  const { status, body } = await ask(`${ports.baristas}/order/?${query}`);
  expect(status).toBe(200);
  return (body as { orders: WireOrder[] }).orders;
}

describe("who waits for an order that is cancelled gets 200, which says so and why", () => {
  test("its customer cancels it, from a second request", async () => {
    const waiting = order(server, { customer_id: "second-request" });
    await untilHeld(server, 1);
    const [queued] = await search(server, "customer_id=second-request");
    const answer = await cancelByCustomer(server, queued?.order_id ?? "");
    const cancelled = expectOrder(answer, { status: "cancelled", reason: "customer", attempts: 0 });
    expect(expectOrder(await waiting)).toEqual(cancelled);
    expect(await lookAtQueue(server)).toMatchObject({ depth: 0, brewing: 0, held: 0 });
  });

  test.each([undefined, "machine_error", "payment_failed", "customer_timeout"])(
    "a barista cancels it while it is queued, with reason %p",
    async (reason) => {
      const waiting = order(server, { customer_id: `queued-${reason}` });
      await untilHeld(server, 1);
      const [queued] = await search(server, `customer_id=queued-${reason}`);
      const answer = await applyVerb(server, "cancel", queued?.order_id ?? "", reason && `reason=${reason}`);
      expectOrder(answer, { status: "cancelled", reason: reason ?? "barista" });
      expectOrder(await waiting, { status: "cancelled", reason: reason ?? "barista" });
    },
  );

  test("a barista cancels it while it is brewing", async () => {
    const waiting = order(server);
    const { order_id } = await start(server, "barista=Grace&wait=10");
    expectOrder(await applyVerb(server, "cancel", order_id, "barista=Grace"), {
      status: "cancelled",
      barista: "Grace",
    });
    expectOrder(await waiting, { order_id, status: "cancelled", reason: "barista", attempts: 1 });
    expect(await lookAtQueue(server)).toMatchObject({ depth: 0, brewing: 0 });
  });

  test("no barista finishes it in its last attempt", async () => {
    const hasty = await startServer({ LEASE_SECONDS: "1", MAX_ATTEMPTS: "1" });
    const waiting = order(hasty);
    const { order_id } = await start(hasty);
    expectOrder(await waiting, { order_id, status: "cancelled", reason: "barista_timeout", attempts: 1 });
    expectProblem(await applyVerb(hasty, "finish", order_id), 409);
    expect(await lookAtQueue(hasty)).toMatchObject({ depth: 0, brewing: 0, held: 0 });
    await hasty.stop();
  });
});

describe("a barista who can't go on", () => {
  test("releases: the order is back at its position, before newer ones", async () => {
    const older = await place(server, { item: "latte" });
    const newer = await place(server, { item: "mocha" });
    expect((await start(server, "barista=Grace")).order_id).toBe(older.order_id);
    const released = expectOrder(await applyVerb(server, "release", older.order_id, "barista=Grace"), { attempts: 1 });
    expect(released.status).toBe("queued");
    expect(Object.keys(released)).not.toContain("barista");
    expectOrder(await ask(`${server.customers}/order/${older.order_id}`), { status: "queued", position: 1 });
    expectOrder(await ask(`${server.customers}/order/${newer.order_id}`), { status: "queued", position: 2 });
    expect(await start(server, "barista=Ada")).toMatchObject({ order_id: older.order_id, barista: "Ada", attempts: 2 });
    expect((await start(server, "barista=Grace")).order_id).toBe(newer.order_id);
    for (const { order_id } of [older, newer])
      expectOrder(await applyVerb(server, "finish", order_id), { status: "ready" });
  });

  test("releases: a waiting barista is woken for it", async () => {
    const { order_id } = await place(server);
    await start(server, "barista=Grace");
    const waiting = start(server, "barista=Ada&wait=60");
    expectOrder(await applyVerb(server, "release", order_id), { status: "queued" });
    expect(await waiting).toMatchObject({ order_id, barista: "Ada", attempts: 2 });
    expectOrder(await applyVerb(server, "finish", order_id), { barista: "Ada", attempts: 2 });
  });

  test("hangs up while waiting: the next order is another's", async () => {
    const hangUp = new AbortController();
    const lost = ask(`${server.baristas}/start/?wait=60`, { signal: hangUp.signal });
    const patient = start(server, "barista=Ada&wait=60");
    hangUp.abort();
    await lost.catch(() => {});
    const { order_id } = await place(server);
    expect((await patient).order_id).toBe(order_id);
    expectOrder(await applyVerb(server, "finish", order_id), { attempts: 1 });
  });
});

describe("a lease of one second", () => {
  let hasty: Server;
  /** Of the same shop: who extends there has a lease that outlasts the test. */
  let patient: Server;
  beforeAll(async () => {
    const SHOP = `test-${crypto.randomUUID()}`;
    hasty = await startServer({ SHOP, LEASE_SECONDS: "1", MAX_ATTEMPTS: "3" });
    patient = await startServer({ SHOP });
  });

  /** Resolves once the lease that began at that start has run out. */
  const untilLeaseOver = ({ started_at = "" }: WireOrder) =>
    until(() => Date.now() > Date.parse(started_at) + 1000, "the lease is over");

  test("runs out: the order is offered again, before newer ones, and the late finish finds it taken", async () => {
    const older = await place(hasty, { item: "latte" });
    const newer = await place(hasty, { item: "mocha" });
    await untilLeaseOver(await start(hasty, "barista=Grace"));
    expect(await start(hasty, "barista=Ada")).toMatchObject({ order_id: older.order_id, barista: "Ada", attempts: 2 });
    const late = await applyVerb(hasty, "finish", older.order_id, "barista=Grace");
    expect(expectProblem(late, 409)).toMatchObject({ order_status: "brewing" });
    expectOrder(await applyVerb(hasty, "finish", older.order_id, "barista=Ada"), { status: "ready", barista: "Ada" });
    expectProblem(await applyVerb(hasty, "finish", older.order_id, "barista=Grace"), 409);
    expect((await start(hasty, "barista=Grace")).order_id).toBe(newer.order_id);
    expectOrder(await applyVerb(hasty, "finish", newer.order_id, "barista=Grace"), { status: "ready" });
  });

  test("runs out: until another has the order, the late finish counts", async () => {
    const waiting = order(hasty);
    const started = await start(hasty, "barista=Grace&wait=10");
    await untilLeaseOver(started);
    expectOrder(await applyVerb(hasty, "finish", started.order_id, "barista=Grace"), { status: "ready", attempts: 1 });
    expectOrder(await waiting, { status: "ready", barista: "Grace" });
  });

  test("runs out: a barista who waits on the empty queue is woken for the order", async () => {
    const { order_id } = await place(hasty);
    await start(hasty, "barista=Grace");
    expect(await start(hasty, "barista=Ada&wait=20")).toMatchObject({ order_id, barista: "Ada", attempts: 2 });
    expectOrder(await applyVerb(hasty, "finish", order_id, "barista=Ada"), { status: "ready" });
  });

  test("is extended: the order stays with its barista past the first lease", async () => {
    const { order_id } = await place(hasty);
    const started = await start(hasty, "barista=Grace");
    expectOrder(await applyVerb(patient, "extend", order_id, "barista=Grace"), { status: "brewing", attempts: 1 });
    await untilLeaseOver(started);
    expectProblem(await ask(`${hasty.baristas}/start/?barista=Ada`), 404);
    expectOrder(await applyVerb(hasty, "finish", order_id, "barista=Grace"), { status: "ready", attempts: 1 });
  });

  test("a barista who dies three times over: the customer is notified", async () => {
    const waiting = order(hasty);
    for (const attempts of [1, 2, 3]) {
      const started = await start(hasty);
      expect(started.attempts).toBe(attempts);
      await untilLeaseOver(started);
    }
    expectOrder(await waiting, { status: "cancelled", reason: "barista_timeout", attempts: 3 });
  });
});
