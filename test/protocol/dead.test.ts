/** Dead letters: what staff see of orders that failed, and how they have them made again. */
import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { EventClient } from "../events/client.ts";
import { call, placeCall } from "../support/calls.ts";
import {
  applyVerb,
  ask,
  cancelByCustomer,
  expectOrder,
  expectProblem,
  expectStatus,
  place,
  readWireOrder,
  start,
  untilHeld,
  type WireOrder,
} from "../support/http.ts";
import { readCode } from "../support/shop.ts";
import { startServer, type Server } from "../support/server.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(60_000);

const UNKNOWN = "01938a5e-7c1b-7f3e-9a52-6f1d2c3b4a59";
const QUEUES = "work, mail lease_seconds=1 max_attempts=1";

let here: Server;
let there: Server;
beforeAll(async () => {
  const shop = { SHOP: `dead-${crypto.randomUUID()}`, QUEUES };
  [here, there] = await Promise.all([startServer(shop), startServer(shop)]);
});

interface Page {
  readonly orders: readonly WireOrder[];
  readonly cursor: string | null;
}

async function listDead(ports: Server, query = ""): Promise<Page> {
  const answer = await ask(`${ports.baristas}/dead?${query}`);
  expectStatus(answer, 200);
  const page = answer.body as Page;
  for (const order of page.orders) readWireOrder(order);
  return page;
}

const retry = (ports: Server, query: string) => ask(`${ports.baristas}/retry/?${query}`, { method: "POST" });

/** Has a barista fail an order for good. */
async function kill(ports: Server, { order_id }: WireOrder, error = "no luck"): Promise<WireOrder> {
  await start(ports, `order_id=${order_id}`);
  const failed = await applyVerb(ports, "fail", order_id, "", { json: { error, retry: false } });
  return expectOrder(failed, { status: "cancelled", reason: "machine_error", error });
}

async function killCalls(ports: Server, queue: string, count: number): Promise<WireOrder[]> {
  const dead: WireOrder[] = [];
  while (dead.length < count) dead.push(await kill(ports, await placeCall(ports, queue, dead.length)));
  return dead;
}

const idsOf = (orders: readonly WireOrder[]): string[] => orders.map(({ order_id }) => order_id);

describe("GET /dead", () => {
  test("lists those that failed and those that none finished, newest first, by queue and by reason", async () => {
    const cup = await kill(here, await place(here, { item: "latte", customer_id: "ada" }));
    const [one, two] = await killCalls(there, "work", 2);
    const late = await placeCall(here, "mail", "in");
    await start(here, "queue=mail");
    await until(async () => (await listDead(there, "queue=mail")).orders.length === 1, "its lease ran out");
    // Neither of these is dead.
    expectOrder(await cancelByCustomer(here, (await place(here)).order_id));
    expectOrder(await applyVerb(here, "cancel", (await placeCall(here, "work")).order_id));

    const all = [late, two, one, cup].map((order) => order?.order_id ?? "");
    expect(idsOf((await listDead(here)).orders)).toEqual(all);
    expect(idsOf((await listDead(there, "reason=machine_error")).orders)).toEqual(all.slice(1));
    expect(idsOf((await listDead(there, "queue=work")).orders)).toEqual(all.slice(1, 3));
    expect(idsOf((await listDead(there, "queue=default")).orders)).toEqual(all.slice(3));
    expect(idsOf((await listDead(there, "queue=work&reason=barista_timeout")).orders)).toEqual([]);
    expect((await listDead(here, "queue=mail")).orders).toMatchObject([
      { order_id: late.order_id, reason: "barista_timeout", input: "in" },
    ]);
    const seen: string[] = [];
    for (let cursor: string | null = ""; cursor !== null;) {
      const page: Page = await listDead(here, `limit=2${cursor && `&cursor=${cursor}`}`);
      expect(page.orders.length).toBeLessThanOrEqual(2);
      seen.push(...idsOf(page.orders));
      cursor = page.cursor;
    }
    expect(seen).toEqual(all);
  });

  test.each([
    ["queue=a%20b", "queue"],
    ["reason=customer", "reason"],
    ["limit=0", "limit"],
    ["limit=201", "limit"],
    ["cursor=latest", "cursor"],
    [`cursor=${UNKNOWN}`, "cursor"],
    ["queue=work&queue=mail", "queue"],
  ])("?%s is 422 and names the field", async (query, field) => {
    expectProblem(await ask(`${here.baristas}/dead?${query}`), 422, field);
  });
});

describe("POST /retry/ of one order", () => {
  test("makes it again by a new order, once, whoever asks; the old one and its customer stay as they are", async () => {
    const waiting = call(here, "work", { add_up_to: 3 });
    await untilHeld(here, 1);
    const { order_id } = await start(there, "queue=work");
    await applyVerb(there, "fail", order_id, "", { json: { error: "no paper", retry: false } });
    const dead = expectOrder(await waiting, { status: "cancelled" });

    const events = await EventClient.open(`${here.baristas}/events?type=order.placed`);
    const answer = await retry(there, `order_id=${order_id.toUpperCase()}&barista=Grace`);
    const again = expectOrder(answer, { status: "queued", attempts: 0, position: 1 }, 201);
    expect(again).toMatchObject({ queue: "work", input: { add_up_to: 3 }, retry_of: order_id, retried_by: "Grace" });
    expect(again.order_id).not.toBe(order_id);
    expect(again.number).toBeGreaterThan(dead.number);
    expect(again).not.toHaveProperty("error");
    expect(answer.headers.location).toBe(`/order/${again.order_id}`);
    for (const server of [here, there]) {
      const repeated = await retry(server, `order_id=${order_id}&barista=Ada`);
      expectOrder(repeated, { order_id: again.order_id, retried_by: "Grace" }, 201);
    }
    await events.untilHeard(1);
    expect(events.events.map(({ data }) => data)).toMatchObject([
      { order_id: again.order_id, retry_of: order_id, retried_by: "Grace" },
    ]);
    events.hangUp();

    expectOrder(await ask(`${here.customers}/order/${order_id}`), dead);
    expect(idsOf((await listDead(here)).orders)).not.toContain(order_id);
    expect((await start(here, "queue=work")).order_id).toBe(again.order_id);
    expectOrder(await applyVerb(here, "finish", again.order_id, "", { json: 6 }), { result: 6, retry_of: order_id });
    expectOrder(await retry(here, `order_id=${order_id}`), { order_id: again.order_id, status: "ready" }, 201);
  });

  test("keeps what a customer said of a cup; one that dies again is made again too", async () => {
    const draft = { item: "latte", modifiers: { milk: "oat" }, note: 'no "lid"', customer_id: "ada" };
    let dead = await kill(here, await place(here, draft));
    for (const retried_by of ["Grace", undefined]) {
      const query = `order_id=${dead.order_id}${retried_by ? `&barista=${retried_by}` : ""}`;
      const again = expectOrder(await retry(here, query), { ...draft, price: dead.price ?? -1 }, 201);
      expect([again.retry_of, again.retried_by]).toEqual([dead.order_id, retried_by]);
      dead = await kill(there, again);
    }
  });

  test("is 409 of a reservation that staff cancelled as failed: nothing was chosen, and it is no dead letter", async () => {
    const { code } = await readCode(here);
    const reserving = ask(`${here.customers}/reservation`, { method: "POST", json: { code } });
    const { order_id } = expectOrder(await reserving, { status: "reserved" }, 201);
    expectOrder(await applyVerb(here, "cancel", order_id, "reason=machine_error"), { status: "cancelled" });
    expect(idsOf((await listDead(here)).orders)).not.toContain(order_id);
    expect(expectProblem(await retry(here, `order_id=${order_id}`), 409).order_status).toBe("cancelled");
  });

  test("is 409 of what is not dead, 404 of what is not there, 422 of what is no id or not alone", async () => {
    const { order_id } = await placeCall(here, "work");
    expect(expectProblem(await retry(here, `order_id=${order_id}`), 409).order_status).toBe("queued");
    await start(here, `order_id=${order_id}`);
    expect(expectProblem(await retry(here, `order_id=${order_id}`), 409).order_status).toBe("brewing");
    expectOrder(await applyVerb(here, "cancel", order_id));
    expect(expectProblem(await retry(here, `order_id=${order_id}`), 409).order_status).toBe("cancelled");
    expectProblem(await retry(here, `order_id=${UNKNOWN}`), 404);
    expectProblem(await retry(here, "order_id=latest"), 422, "order_id");
    expectProblem(await retry(here, `order_id=${UNKNOWN}&queue=work`), 422, "order_id");
    expectProblem(await retry(here, `order_id=${UNKNOWN}&reason=machine_error`), 422, "order_id");
  });
});

describe("POST /retry/ of many", () => {
  interface Retried {
    readonly retried: readonly WireOrder[];
    readonly left: boolean;
  }

  async function retryMany(ports: Server, query: string): Promise<Retried> {
    const answer = await retry(ports, query);
    expectStatus(answer, 200);
    const read = answer.body as Retried;
    for (const order of read.retried) readWireOrder(order);
    return read;
  }

  test("makes the newest of a queue or a reason again, and says whether more are left", async () => {
    const own = await startServer({ QUEUES });
    const dead = await killCalls(own, "work", 3);
    await killCalls(own, "mail", 1);
    const first = await retryMany(own, "queue=work&limit=2&barista=Grace");
    expect(first.left).toBe(true);
    expect(first.retried.map(({ retry_of }) => retry_of ?? "")).toEqual(idsOf(dead).toReversed().slice(0, 2));
    for (const again of first.retried) expect(again).toMatchObject({ status: "queued", retried_by: "Grace" });
    expect(await retryMany(own, "queue=work")).toMatchObject({
      retried: [{ retry_of: dead[0]?.order_id }],
      left: false,
    });
    expect(await retryMany(own, "queue=work&reason=machine_error")).toEqual({ retried: [], left: false });
    expect(await retryMany(own, "reason=machine_error")).toMatchObject({ retried: [{ queue: "mail" }], left: false });
    expect((await listDead(own)).orders).toEqual([]);
    await own.stop();
  });

  test("comes to an end, however many dead letters of other queues are newer", async () => {
    const SHOP = `dead-${crypto.randomUUID()}`;
    const bounds = { LIMIT_CAPACITY: "100000", MAX_HELD_PER_ADDRESS: "10000", REQUESTS_PER_SECOND: "100000" };
    const own = await startServer({ SHOP, ...bounds, QUEUES: "old, new capacity=10000" });
    const [old] = await killCalls(own, "old", 1);
    const calls = await Promise.all(Array.from({ length: 1100 }, () => placeCall(own, "new")));
    await Promise.all(calls.map((order) => kill(own, order)));
    let [seen, left] = [[] as readonly WireOrder[], true];
    for (let round = 0; left && round < 3; round += 1) ({ retried: seen, left } = await retryMany(own, "queue=old"));
    expect({ left, seen: seen.map(({ retry_of }) => retry_of) }).toEqual({ left: false, seen: [old?.order_id] });
    const batch = await retryMany(own, "queue=new");
    expect([batch.retried.length, batch.left]).toEqual([100, true]);
    await own.stop();
  });

  test.each([
    ["", "order_id"],
    ["barista=Grace", "order_id"],
    ["queue=work&limit=101", "limit"],
    ["queue=work&limit=0", "limit"],
    ["queue=a.b", "queue"],
    ["reason=customer", "reason"],
    [`queue=work&barista=${"x".repeat(65)}`, "barista"],
  ])("?%s is 422 and names the field", async (query, field) => {
    expectProblem(await retry(here, query), 422, field);
  });
});

test("POST /release/ with uncounted gives the attempt back", async () => {
  const { order_id } = await placeCall(here, "work");
  await start(here, "queue=work&barista=w");
  expectOrder(await applyVerb(there, "release", order_id, "uncounted"), { status: "queued", attempts: 0 });
  await start(here, "queue=work&barista=w");
  expectOrder(await applyVerb(there, "release", order_id, "barista=w&uncounted="), { status: "queued", attempts: 0 });
  await start(here, "queue=work");
  expectOrder(await applyVerb(there, "release", order_id), { status: "queued", attempts: 1 });
  expectProblem(await applyVerb(here, "release", order_id, "uncounted=yes"), 422, "uncounted");
  expectOrder(await applyVerb(here, "cancel", order_id));
});

describe("POST /progress/", () => {
  const progress = (id: string, json: unknown, query = "") =>
    ask(`${there.baristas}/progress/?order_id=${id}${query}`, { method: "POST", json });

  test("is shown while it is brewing, of a cup too; a release and an end take it away", async () => {
    const { order_id } = await place(here);
    await start(here, `order_id=${order_id}&barista=Grace`);
    expectOrder(await progress(order_id, { percent: 0 }), { progress: { percent: 0 } });
    const said = { percent: 12.5, message: 'milk is "foaming" 😀' };
    expectOrder(await progress(order_id, said, "&barista=Grace"), { progress: said });
    expectOrder(await ask(`${here.customers}/order/${order_id}`), { progress: said });
    expect(expectOrder(await applyVerb(here, "release", order_id))).not.toHaveProperty("progress");
    await start(here, `order_id=${order_id}`);
    expect(expectOrder(await progress(order_id, { message: "again" })).progress).toEqual({ message: "again" });
    expect(expectOrder(await applyVerb(here, "finish", order_id))).not.toHaveProperty("progress");
  });

  test("of an order that is not brewing, or another's, is a conflict; of one that is not there, unknown", async () => {
    const { order_id } = await place(here);
    expect(expectProblem(await progress(order_id, { percent: 1 }), 409).order_status).toBe("queued");
    await start(here, `order_id=${order_id}&barista=Grace`);
    expect(expectProblem(await progress(order_id, { percent: 1 }, "&barista=Ada"), 409).detail).toContain("Grace");
    expectOrder(await applyVerb(here, "finish", order_id));
    expectProblem(await progress(order_id, { percent: 1 }), 409);
    expectProblem(await progress(UNKNOWN, { percent: 1 }), 404);
  });

  test.each<[what: string, json: unknown, field: string]>([
    ["nothing", {}, "body"],
    ["no object", 40, "body"],
    ["101 percent", { percent: 101 }, "percent"],
    ["-1 percent", { percent: -1 }, "percent"],
    ["percent in words", { percent: "half" }, "percent"],
    ["a message of 201 characters", { message: "😀".repeat(201) }, "message"],
    ["what is not known", { percent: 1, eta: 2 }, "eta"],
  ])("with %s is 422 and names the field", async (_what, json, field) => {
    expectProblem(await progress(UNKNOWN, json), 422, field);
  });
});
