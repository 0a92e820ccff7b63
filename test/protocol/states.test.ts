/** What staff can look up beyond one order: states and rates, an order's journey, text search, and CSV. */
import { beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { placeCall } from "../support/calls.ts";
import {
  ask,
  brew,
  cancelByCustomer,
  expectOrder,
  expectProblem,
  expectStatus,
  place,
  readWireOrder,
  start,
  type WireOrder,
} from "../support/http.ts";
import { startServer, type Server } from "../support/server.ts";
import { readCsv } from "../stats/csv.ts";

setDefaultTimeout(60_000);

const NAME = '=HYPERLINK("http://x"), Ada';

let server: Server;
let ready: WireOrder;
let failed: WireOrder;
let called: WireOrder;

beforeAll(async () => {
  server = await startServer({ QUEUES: "compute" });
  await place(server, { item: "latte", customer_name: NAME, note: "two\nlines" });
  ready = await brew(server, "barista=Grace");
  const { order_id } = await place(server, { customer_id: "table-9" });
  expectOrder(await cancelByCustomer(server, order_id));
  await place(server, { customer_name: "Grace" });
  await start(server, "barista=Linus");
  failed = await place(server, { customer_name: "Ada" });
  await place(server);
  called = await placeCall(server, "compute");
});

async function read<Body>(path: string): Promise<Body> {
  const answer = await ask(server.baristas + path);
  expectStatus(answer, 200);
  return answer.body as Body;
}

test("states: the counter's open orders, what happened to them in the last minute, and all queues", async () => {
  expect(await read<object>("/states")).toEqual({
    queue: "default",
    open: { reserved: 0, unpaid: 0, scheduled: 0, queued: 2, brewing: 1 },
    span_seconds: 60,
    events: { "order.placed": 5, "order.started": 2, "order.finished": 1, "order.cancelled": 1 },
    queues: ["default", "compute"],
  });
  expect(await read<object>("/states?queue=compute")).toMatchObject({
    queue: "compute",
    open: { queued: 1, brewing: 0 },
    events: { "order.placed": 1 },
  });
  expectProblem(await ask(`${server.baristas}/states?queue=a/b`), 422, "queue");
});

interface Page {
  readonly orders: readonly WireOrder[];
  readonly cursor: string | null;
}

test("a state's orders, a page at a time; what is no open state, or no place in one, is refused", async () => {
  const first = await read<Page>("/states/queued?limit=1");
  expect(first.orders).toMatchObject([{ order_id: failed.order_id, position: 1 }]);
  const rest = await read<Page>(`/states/queued?limit=1&cursor=${first.cursor}`);
  expect(rest).toMatchObject({ orders: [{ number: 5 }], cursor: null });
  for (const { orders } of [first, rest]) orders.forEach(readWireOrder);
  expect((await read<Page>("/states/queued?queue=compute")).orders).toMatchObject([{ order_id: called.order_id }]);
  expectProblem(await ask(`${server.baristas}/states/ready`), 422, "state");
  for (const cursor of [ready.order_id, `1:(1:${ready.order_id}`, "1:2:3"]) {
    expectProblem(await ask(`${server.baristas}/states/queued?cursor=${cursor}`), 422, "cursor");
  }
});

interface Journey {
  readonly order: WireOrder;
  readonly events: readonly { readonly type: string; readonly time: string; readonly data: WireOrder }[];
  readonly is_whole: boolean;
}

test("a journey has all that happened to an order, and nothing of others", async () => {
  const journey = await read<Journey>(`/order/${ready.order_id}/journey`);
  expect(journey.order).toEqual(ready);
  expect(journey.is_whole).toBe(true);
  expect(journey.events.map(({ type, data }) => [type, data.order_id, data.status])).toEqual([
    ["order.placed", ready.order_id, "queued"],
    ["order.started", ready.order_id, "brewing"],
    ["order.finished", ready.order_id, "ready"],
  ]);
  expect(journey.events.at(-1)?.time).toBe(ready.finished_at);
  const { events } = await read<Journey>(`/order/${called.order_id}/journey`);
  expect(events).toMatchObject([{ type: "order.placed", data: { queue: "compute" } }]);
  expectProblem(await ask(`${server.baristas}/order/01938a5e-7c1b-7f3e-9a52-6f1d2c3b4a59/journey`), 404);
  expectProblem(await ask(`${server.baristas}/order/17/journey`), 422, "id");
});

test("a failed start and its error stand in the journey", async () => {
  const { order_id } = await start(server, "barista=Ada");
  const json = { error: "the grinder is jammed", retry_after_seconds: 60 };
  const answer = await ask(`${server.baristas}/fail/?order_id=${order_id}`, { method: "POST", json });
  expectOrder(answer, { order_id: failed.order_id });
  const { events } = await read<Journey>(`/order/${order_id}/journey`);
  expect(events.map(({ type }) => type)).toEqual(["order.placed", "order.started", "order.failed"]);
  expect(events.at(-1)?.data).toMatchObject({ error: "the grinder is jammed" });
});

const numbers = ({ orders }: Page) => orders.map(({ number }) => number);

test("search by text, by barista, newest first, each with the other filters", async () => {
  expect(numbers(await read<Page>("/order/?text=ada"))).toEqual([1, 4]);
  expect(numbers(await read<Page>("/order/?text=ada&sort=newest"))).toEqual([4, 1]);
  expect(numbers(await read<Page>("/order/?text=TABLE&status=cancelled"))).toEqual([2]);
  expect(numbers(await read<Page>("/order/?text=5"))).toEqual([5]);
  expect(numbers(await read<Page>("/order/?barista=Grace"))).toEqual([1]);
  expect(numbers(await read<Page>("/order/?text=grace"))).toEqual([3]);
  expect(numbers(await read<Page>(`/order/?queue=compute&text=${called.number}`))).toEqual([called.number]);
  const { cursor } = await read<Page>("/order/?sort=newest&limit=2");
  expect(numbers(await read<Page>(`/order/?sort=newest&limit=2&cursor=${cursor}`))).toEqual([3, 2]);
  expectProblem(await ask(`${server.baristas}/order/?text=`), 422, "text");
  expectProblem(await ask(`${server.baristas}/order/?sort=down`), 422, "sort");
});

test("CSV has all that a search finds, page after page, and no formula", async () => {
  const answer = await ask(`${server.baristas}/order/?format=csv&limit=2`);
  expectStatus(answer, 200);
  expect(answer.headers["content-type"]).toBe("text/csv; charset=utf-8; header=present");
  expect(answer.headers["content-disposition"]).toBe('attachment; filename="orders.csv"');
  const [head = [], ...rows] = readCsv(answer.text);
  const column = (name: string) => rows.map((row) => row[head.indexOf(name)]);
  expect(column("number")).toEqual(["1", "2", "3", "4", "5"]);
  expect(column("status")).toEqual(["ready", "cancelled", "brewing", "queued", "queued"]);
  expect(column("customer_name")).toEqual([`'${NAME}`, "", "Grace", "Ada", ""]);
  expect(column("note")[0]).toBe("two\nlines");
  const found = await ask(`${server.baristas}/order/?format=csv&text=nobody`);
  expect(readCsv(found.text)).toEqual([head]);
});
