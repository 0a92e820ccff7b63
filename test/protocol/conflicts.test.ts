/** Verbs that an order's state does not allow: each is refused, says which state, and changes nothing. */
import { beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import {
  ask,
  brew,
  cancelByCustomer,
  expectOrder,
  expectProblem,
  order,
  place,
  start,
  applyVerb,
  type Answer,
  type WireOrder,
} from "../support/http.ts";
import { startServer, type Server } from "../support/server.ts";

setDefaultTimeout(60_000);

let server: Server;

beforeAll(async () => {
  server = await startServer();
});

/** Expects a refusal that names the state the order is in. */
function expectConflict(answer: Answer, status: WireOrder["status"]): void {
  const problem = expectProblem(answer, 409);
  expect(problem.order_status).toBe(status);
  expect(problem.detail).toContain(status);
}

async function expectUnchanged({ order_id }: WireOrder, fields: Partial<WireOrder>): Promise<void> {
  expectOrder(await ask(`${server.customers}/order/${order_id}`), fields);
}

test("finishing twice answers the same, byte for byte", async () => {
  await place(server, { item: "latte", note: "zweimal ☕" });
  const { order_id } = await start(server, "barista=Grace");
  const first = await applyVerb(server, "finish", order_id, "barista=Grace");
  expectOrder(first, { status: "ready", barista: "Grace" });
  const again = await Promise.all([
    applyVerb(server, "finish", order_id, "barista=Grace"),
    applyVerb(server, "finish", order_id),
    applyVerb(server, "finish", order_id.toUpperCase(), "barista=Grace"),
  ]);
  for (const { status, text } of again) expect({ status, text }).toEqual({ status: 200, text: first.text });
});

test("what is queued can't be finished, released or extended", async () => {
  const placed = await place(server);
  for (const verb of ["finish", "release", "extend"] as const)
    expectConflict(await applyVerb(server, verb, placed.order_id), "queued");
  await expectUnchanged(placed, { status: "queued", attempts: 0, position: 1 });
  expectOrder(await applyVerb(server, "cancel", placed.order_id));
});

test("what another barista has can't be finished, released, extended or cancelled", async () => {
  const placed = await place(server);
  await start(server, "barista=Grace");
  for (const verb of ["finish", "release", "extend", "cancel"] as const) {
    const answer = await applyVerb(server, verb, placed.order_id, "barista=Ada");
    expectConflict(answer, "brewing");
    expect(answer.text).toContain("Grace");
  }
  await expectUnchanged(placed, { status: "brewing", barista: "Grace", attempts: 1 });
  expectOrder(await applyVerb(server, "finish", placed.order_id, "barista=Grace"), { status: "ready" });
});

test("what is ready can't be released, extended, cancelled, or finished by another", async () => {
  await place(server);
  const ready = await brew(server, "barista=Grace");
  for (const verb of ["release", "extend", "cancel"] as const)
    expectConflict(await applyVerb(server, verb, ready.order_id), "ready");
  expectConflict(await applyVerb(server, "finish", ready.order_id, "barista=Ada"), "ready");
  expectConflict(await cancelByCustomer(server, ready.order_id), "ready");
  await expectUnchanged(ready, ready);
});

test("what is cancelled can't be finished, released, extended, or cancelled for another reason", async () => {
  const placed = await place(server);
  const cancelled = expectOrder(await cancelByCustomer(server, placed.order_id), {
    status: "cancelled",
    reason: "customer",
  });
  for (const verb of ["finish", "release", "extend", "cancel"] as const) {
    expectConflict(await applyVerb(server, verb, placed.order_id), "cancelled");
  }
  await expectUnchanged(placed, cancelled);
});

test("cancelling twice answers the same", async () => {
  const { order_id } = await place(server);
  const first = await cancelByCustomer(server, order_id);
  expectOrder(first, { status: "cancelled", reason: "customer" });
  const again = await cancelByCustomer(server, order_id);
  expect([again.status, again.text]).toEqual([first.status, first.text]);
});

test("a barista takes the order they choose, out of its turn; another can't have it, nor one that is over", async () => {
  const [older, chosen] = [await place(server), await place(server, { item: "latte" })];
  const take = (orderId: string, barista: string) =>
    ask(`${server.baristas}/start/?barista=${barista}&order_id=${orderId}`);
  expectOrder(await take(chosen.order_id.toUpperCase(), "Grace"), { order_id: chosen.order_id, status: "brewing" });
  for (const barista of ["Ada", "Grace"]) {
    const answer = await take(chosen.order_id, barista);
    expectConflict(answer, "brewing");
    expect(answer.text).toContain("Grace");
  }
  expectOrder(await applyVerb(server, "finish", chosen.order_id), { status: "ready", barista: "Grace" });
  expectConflict(await take(chosen.order_id, "Ada"), "ready");
  expectOrder(await applyVerb(server, "cancel", older.order_id));
  expectConflict(await take(older.order_id, "Ada"), "cancelled");
  expectProblem(await take("01938a5e-7c1b-7f3e-9a52-6f1d2c3b4a59", "Ada"), 404);
  expectProblem(await take("17", "Ada"), 422, "order_id");
});

test("a barista whose answer was lost asks again with their key, and gets the same order until it is over", async () => {
  const [first, second] = [await place(server), await place(server)];
  const take = () =>
    ask(`${server.baristas}/start/?barista=Grace`, { headers: { "Idempotency-Key": "Grace's first one" } });
  const started = await take();
  expectOrder(started, { order_id: first.order_id, attempts: 1 });
  expect((await take()).text).toBe(started.text);
  expectOrder(await applyVerb(server, "extend", first.order_id, "barista=Grace"));
  expectOrder(await take(), { order_id: first.order_id, attempts: 1 });
  expectOrder(await applyVerb(server, "finish", first.order_id), { status: "ready" });
  expectProblem(await take(), 404);
  await expectUnchanged(second, { status: "queued", attempts: 0 });
  expectOrder(await applyVerb(server, "cancel", second.order_id));
});

test("a customer can't cancel what is brewing", async () => {
  const placed = await place(server);
  await start(server, "barista=Grace");
  expectConflict(await cancelByCustomer(server, placed.order_id), "brewing");
  await expectUnchanged(placed, { status: "brewing" });
  expectOrder(await applyVerb(server, "finish", placed.order_id), { status: "ready" });
});

test("an Idempotency-Key with another body is refused, and the first order stays", async () => {
  const headers = { "Idempotency-Key": "breakfast" };
  const placed = await place(server, { item: "latte" }, { headers });
  for (const draft of [{ item: "mocha" }, { item: "latte", note: "hot" }, {}, undefined]) {
    expectProblem(await order(server, draft, { headers }), 422);
  }
  const joined = await place(server, { item: "latte" }, { headers });
  expect(joined.order_id).toBe(placed.order_id);
  expectOrder(await applyVerb(server, "cancel", placed.order_id));
});
