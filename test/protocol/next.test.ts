/** Finish with `next`: one order is made and the next one started, in one request and one step. */
import { afterEach, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import {
  ask,
  expectOrder,
  expectProblem,
  expectStatus,
  lookAtQueue,
  place,
  readWireOrder,
  applyVerb,
  untilHeld,
  type Answer,
  type WireOrder,
} from "../support/http.ts";
import { startServer, type Server } from "../support/server.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(60_000);

let here: Server;
let there: Server;
beforeEach(async () => {
  // A shop of its own: the oldest order is the test's.
  const SHOP = `test-${crypto.randomUUID()}`;
  [here, there] = await Promise.all([startServer({ SHOP }), startServer({ SHOP })]);
});
afterEach(() => Promise.all([here, there].map((server) => server.stop())));

async function brewing(barista = "Grace"): Promise<string> {
  const { order_id } = await place(here);
  return expectOrder(await ask(`${here.baristas}/start/?order_id=${order_id}&barista=${barista}`)).order_id;
}

interface Handover {
  readonly finished: WireOrder;
  readonly started: WireOrder | null;
}

function expectHandover(answer: Answer): Handover {
  expectStatus(answer, 200);
  expect(answer.headers["content-type"]).toBe("application/json");
  const { finished, started, ...others } = answer.body as Handover;
  expect(others).toEqual({});
  expect(readWireOrder(finished).status).toBe("ready");
  if (started !== null) expect(readWireOrder(started).status).toBe("brewing");
  return { finished, started };
}

const next = (id: string, seconds: number | string = 0, more: object = {}, ports: Server = here): Promise<Answer> =>
  applyVerb(ports, "finish", id, `barista=Grace&next=${seconds}`, more);

test("the order is made, its customer gets it, and the oldest one is started, in one answer", async () => {
  const id = await brewing();
  const [older] = [await place(here), await place(here)];
  const held = ask(`${there.customers}/order/${id}?wait`);
  await untilHeld(there, 1);
  const { finished, started } = expectHandover(await next(id, 0, { json: { cups: 2 } }));
  expect(finished).toMatchObject({ order_id: id, barista: "Grace", result: { cups: 2 } });
  expect(started).toMatchObject({ order_id: older.order_id, barista: "Grace", attempts: 1 });
  expectOrder(await held, { order_id: id, status: "ready", result: { cups: 2 } });
});

test("where nothing waits, started is null; with next=N it is held for one, also one that comes elsewhere", async () => {
  const [one, other] = [await brewing(), await brewing()];
  expect(expectHandover(await next(one)).started).toBeNull();
  const beganAt = performance.now();
  expect(expectHandover(await next(one, 1)).started).toBeNull();
  expect(performance.now() - beganAt).toBeGreaterThan(900);

  const waiting = next(other, 30);
  await until(async () => isReady(other), "it is made before the next one comes");
  const { order_id } = await place(there);
  expect(expectHandover(await waiting).started).toMatchObject({ order_id });
});

async function isReady(id: string): Promise<boolean> {
  return ((await ask(`${here.customers}/order/${id}`)).body as WireOrder).status === "ready";
}

test("without a name it goes too", async () => {
  const id = await brewing("anonymous");
  const { order_id } = await place(here);
  const { started } = expectHandover(await applyVerb(here, "finish", id, "next=0"));
  expect(started).toMatchObject({ order_id, barista: "anonymous" });
});

test("asked again under one Idempotency-Key, on another replica too, both are the same; without, another is started", async () => {
  const id = await brewing();
  const orders = [await place(here), await place(here), await place(here)].map(({ order_id }) => order_id);
  const more = { headers: { "Idempotency-Key": crypto.randomUUID() } };
  const first = expectHandover(await next(id, 0, more));
  expect(first.started?.order_id).toBe(orders[0] ?? "");
  for (const ports of [here, there]) expect(expectHandover(await next(id, 5, more, ports))).toEqual(first);
  expect((await lookAtQueue(here)).brewing).toBe(1);
  expect(expectHandover(await next(id)).started?.order_id).toBe(orders[1] ?? "");
  // The key is the start's: GET /start/ under it answers the same order.
  expectOrder(await ask(`${there.baristas}/start/?barista=Grace`, more), { order_id: orders[0] ?? "" });
});

test("ten at once make ten, and start ten others, each once", async () => {
  const ids = await Promise.all(Array.from({ length: 10 }, () => brewing()));
  const orders = await Promise.all(Array.from({ length: 10 }, () => place(here)));
  const answers = await Promise.all(ids.map((id, index) => next(id, 5, {}, index % 2 ? here : there)));
  const started = answers.map((answer) => expectHandover(answer).started?.order_id);
  expect(new Set(started)).toEqual(new Set(orders.map(({ order_id }) => order_id)));
  expect(new Set(started).size).toBe(10);
});

test("a finish that is refused starts nothing, and is answered as without next, at once", async () => {
  const id = await brewing("Linus");
  const { order_id } = await place(here);
  expect(expectProblem(await next(id, 20), 409).detail).toContain("Linus");
  expect(expectProblem(await next(order_id, 20), 409).order_status).toBe("queued");
  expectProblem(await next("01938a5e-7c1b-7f3e-9a52-6f1d2c3b4a59", 20), 404);
  expectProblem(await next(id, 20, { headers: { "Idempotency-Key": "k" } }), 409);
  expectOrder(await applyVerb(here, "finish", id, "barista=Linus"));
  expect(expectProblem(await next(id, 20), 409).order_status).toBe("ready");
  expectOrder(await ask(`${here.customers}/order/${order_id}`), { status: "queued", attempts: 0 });
});

test.each(["-1", "abc", "", "1.5", "86401", "1e3"])(
  "next=%s is refused, and nothing is finished or started",
  async (text) => {
    const id = await brewing();
    const { order_id } = await place(here);
    expectProblem(await next(id, text), 422, "next");
    expectOrder(await ask(`${here.customers}/order/${id}`), { status: "brewing" });
    expectOrder(await ask(`${here.customers}/order/${order_id}`), { status: "queued" });
  },
);

test("a body that is refused finishes and starts nothing", async () => {
  const id = await brewing();
  const { order_id } = await place(here);
  expectProblem(await next(id, 0, { body: "{", headers: { "Content-Type": "application/json" } }), 400);
  expectOrder(await ask(`${here.customers}/order/${id}`), { status: "brewing" });
  expectOrder(await ask(`${here.customers}/order/${order_id}`), { status: "queued" });
});

test("a barista who hangs up while waiting gets none: the order stays for the next one", async () => {
  const id = await brewing();
  const leaving = new AbortController();
  const gone = next(id, 60, { signal: leaving.signal }).catch(() => "gone");
  await until(async () => isReady(id), "it is made");
  leaving.abort();
  expect(await gone).toBe("gone");
  const { order_id } = await place(here);
  const other = ask(`${there.baristas}/start/?wait=20&barista=Linus`);
  expectOrder(await other, { order_id, barista: "Linus" });
});

test("a server that stops answers what was made, and starts nothing", async () => {
  const id = await brewing();
  const waiting = next(id, 60);
  await until(async () => isReady(id), "it is made");
  const stopped = here.stop();
  expect(expectHandover(await waiting)).toMatchObject({ finished: { order_id: id }, started: null });
  expect(await stopped).toBe(0);
});
