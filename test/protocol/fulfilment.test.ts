/** Fulfilments: orders as those see and change them who never take one up. */
import { beforeAll, expect, setDefaultTimeout, test } from "bun:test";
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
  readWireOrder,
  start,
  untilHeld,
  type Answer,
  type WireOrder,
} from "../support/http.ts";
import { startServer, type Server } from "../support/server.ts";
import { changeShop, readCode, reserve } from "../support/shop.ts";

setDefaultTimeout(60_000);

let server: Server;

beforeAll(async () => {
  server = await startServer({ QUEUES: "thumbs" });
});

interface Fulfilment {
  readonly fulfilment_id: string;
  readonly status: string;
  readonly order: WireOrder;
}

function readFulfilment(value: unknown): Fulfilment {
  const read = value as Fulfilment;
  expect(Object.keys(read)).toEqual(["fulfilment_id", "status", "order"]);
  expect(readWireOrder(read.order).order_id).toBe(read.fulfilment_id);
  return read;
}

function expectFulfilment(answer: Answer, status: string): Fulfilment {
  expectStatus(answer, 200);
  const read = readFulfilment(answer.body);
  expect(read.status).toBe(`FULFILMENT_${status}`);
  return read;
}

const look = (id: string): Promise<Answer> => ask(`${server.baristas}/fulfilment/${id}`);

function change(id: string, status: string, query = ""): Promise<Answer> {
  const json = { status: `FULFILMENT_${status}` };
  return ask(`${server.baristas}/fulfilment/${id}${query}`, { method: "PATCH", json });
}

interface Page {
  readonly fulfilments: readonly Fulfilment[];
  readonly cursor: string | null;
}

async function search(ports: Server, query: string): Promise<Page> {
  const answer = await ask(`${ports.baristas}/fulfilment?${query}`);
  expectStatus(answer, 200);
  const page = answer.body as Page;
  for (const each of page.fulfilments) readFulfilment(each);
  return page;
}

test("a fulfilment follows its order: created, completed", async () => {
  const { order_id } = await place(server);
  const { order: shown } = expectFulfilment(await look(order_id), "CREATED");
  expect(shown.status).toBe("queued");
  await start(server, `order_id=${order_id}`);
  expectFulfilment(await look(order_id), "CREATED");
  const finished = expectOrder(await applyVerb(server, "finish", order_id));
  expect(expectFulfilment(await look(order_id), "COMPLETED").order).toEqual(finished);
  expectFulfilment(await look(order_id.toUpperCase()), "COMPLETED");
});

test("a held customer has their coffee when it is completed without being started, and events say what was done", async () => {
  const events = await EventClient.open(`${server.baristas}/events`);
  const waiting = order(server, { item: "latte" });
  await untilHeld(server, 1);
  const [fulfilment] = (await search(server, "status=FULFILMENT_CREATED")).fulfilments;
  const id = fulfilment?.fulfilment_id ?? "";
  const { order: made } = expectFulfilment(await change(id, "COMPLETED", "?barista=Grace"), "COMPLETED");
  expect(made).toMatchObject({ status: "ready", barista: "Grace", attempts: 1 });
  expect(expectOrder(await waiting, { status: "ready" })).toEqual(made);
  await events.untilHeard(3);
  expect(events.types).toEqual(["order.placed", "order.started", "order.finished"]);
  events.hangUp();
  // Again it answers the same, also without a name; another name is refused.
  expect(expectFulfilment(await change(id, "COMPLETED"), "COMPLETED").order).toEqual(made);
  expectProblem(await change(id, "COMPLETED", "?barista=Ada"), 409);
});

test("one that brews is completed by its barista, or by staff who name none", async () => {
  const [first, second] = [await place(server), await place(server)];
  await start(server, `barista=Grace&order_id=${first.order_id}`);
  await start(server, `barista=Grace&order_id=${second.order_id}`);
  expect(expectProblem(await change(first.order_id, "COMPLETED", "?barista=Ada"), 409).order_status).toBe("brewing");
  expectFulfilment(await change(first.order_id, "COMPLETED", "?barista=Grace"), "COMPLETED");
  expect(expectFulfilment(await change(second.order_id, "COMPLETED"), "COMPLETED").order.barista).toBe("Grace");
});

test("a rejected one is cancelled by the barista, and its customer is told", async () => {
  const waiting = order(server);
  await untilHeld(server, 1);
  const [fulfilment] = (await search(server, "status=FULFILMENT_CREATED")).fulfilments;
  const id = fulfilment?.fulfilment_id ?? "";
  const rejected = expectFulfilment(await change(id, "REJECTED"), "REJECTED");
  expect(expectOrder(await waiting, { status: "cancelled", reason: "barista" })).toEqual(rejected.order);
  expectFulfilment(await change(id, "REJECTED"), "REJECTED");
  expect(expectProblem(await change(id, "COMPLETED"), 409).order_status).toBe("cancelled");
});

test("what the order's state does not allow is 409, and changes nothing", async () => {
  const ready = await place(server);
  expectFulfilment(await change(ready.order_id, "COMPLETED"), "COMPLETED");
  expect(expectProblem(await change(ready.order_id, "REJECTED"), 409).detail).toContain("can't be rejected");
  const not_before = new Date(Date.now() + 3_600_000).toISOString();
  const scheduled = await place(server, { not_before });
  expectFulfilment(await look(scheduled.order_id), "CREATED");
  expect(expectProblem(await change(scheduled.order_id, "COMPLETED"), 409).order_status).toBe("scheduled");
  expectFulfilment(await change(scheduled.order_id, "REJECTED"), "REJECTED");
  const byCustomer = await place(server);
  await cancelByCustomer(server, byCustomer.order_id);
  expectFulfilment(await look(byCustomer.order_id), "REJECTED");
  expectProblem(await change(byCustomer.order_id, "REJECTED"), 409);
});

test("a reservation is a fulfilment too: it can be rejected, and not completed before a drink is chosen", async () => {
  await changeShop(server, { require_code: true });
  const answer = await reserve(server, { code: (await readCode(server)).code });
  await changeShop(server, { require_code: false });
  const { order_id } = answer.body as WireOrder;
  expectFulfilment(await look(order_id), "CREATED");
  expect(expectProblem(await change(order_id, "COMPLETED"), 409).order_status).toBe("reserved");
  expectFulfilment(await change(order_id, "REJECTED"), "REJECTED");
});

test("an order for machines has one as well, outside of the counter's search", async () => {
  const called = await ask(`${server.customers}/queue/thumbs/`, {
    method: "POST",
    json: { file: "a.png" },
    headers: { Prefer: "respond-async" },
  });
  const { order_id } = called.body as WireOrder;
  expectFulfilment(await change(order_id, "COMPLETED", "?barista=Grace"), "COMPLETED");
  const { fulfilments } = await search(server, "limit=200");
  expect(fulfilments.map(({ fulfilment_id }) => fulfilment_id)).not.toContain(order_id);
});

test("search: by day and status, a page at a time", async () => {
  const fresh = await startServer();
  const ids: string[] = [];
  for (let at = 0; at < 4; at++) ids.push((await place(fresh)).order_id);
  await start(fresh);
  await ask(`${fresh.baristas}/fulfilment/${ids[1]}`, { method: "PATCH", json: { status: "FULFILMENT_COMPLETED" } });
  await ask(`${fresh.baristas}/fulfilment/${ids[2]}`, { method: "PATCH", json: { status: "FULFILMENT_REJECTED" } });
  const found = async (query: string) =>
    (await search(fresh, query)).fulfilments.map(({ fulfilment_id }) => ids.indexOf(fulfilment_id));
  expect(await found("")).toEqual([0, 1, 2, 3]);
  expect(await found("status=FULFILMENT_CREATED")).toEqual([0, 3]);
  expect(await found("status=FULFILMENT_COMPLETED")).toEqual([1]);
  expect(await found("status=FULFILMENT_REJECTED")).toEqual([2]);
  expect(await found("date=2024-02-29")).toEqual([]);
  const first = await search(fresh, "status=FULFILMENT_CREATED&limit=1");
  const second = await search(fresh, `status=FULFILMENT_CREATED&limit=1&cursor=${first.cursor}`);
  expect([first, second].map(({ fulfilments }) => fulfilments[0]?.fulfilment_id)).toEqual([ids[0], ids[3]]);
  expect(second.cursor).toBeNull();
  await fresh.stop();
});

test("bad input is named", async () => {
  const { order_id } = await place(server);
  expectProblem(await ask(`${server.baristas}/fulfilment?status=ready`), 422, "status");
  expectProblem(await ask(`${server.baristas}/fulfilment?date=2026-02-30`), 422, "date");
  expectProblem(await ask(`${server.baristas}/fulfilment?cursor=${crypto.randomUUID()}`), 422, "cursor");
  expectProblem(await look("17"), 422, "id");
  expectProblem(await look(crypto.randomUUID()), 404);
  expectProblem(await change(crypto.randomUUID(), "COMPLETED"), 404);
  expectProblem(await change(order_id, "CREATED"), 422, "status");
  expectProblem(await change(order_id, "COMPLETED", "?barista="), 422, "barista");
  expectProblem(await ask(`${server.baristas}/fulfilment/${order_id}`, { method: "PATCH" }), 422, "body");
  expectFulfilment(await change(order_id, "REJECTED"), "REJECTED");
  expectProblem(await ask(`${server.customers}/fulfilment/${order_id}`), 404);
});
