/** Failures: an order that can't be made goes back into its queue, or is cancelled and says why. */
import { beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { EventClient } from "../events/client.ts";
import {
  ask,
  cancelByCustomer,
  expectOrder,
  expectProblem,
  expectStatus,
  lookAtQueue,
  place,
  start,
  applyVerb,
  untilHeld,
  type Answer,
} from "../support/http.ts";
import { startServer, type Server } from "../support/server.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(60_000);

let here: Server;
let there: Server;
beforeAll(async () => {
  const shop = { SHOP: `test-${crypto.randomUUID()}`, MAX_ATTEMPTS: "2" };
  [here, there] = await Promise.all([startServer(shop), startServer(shop)]);
});

const fail = (id: string, json: unknown = { error: "no milk" }, query = ""): Promise<Answer> =>
  applyVerb(here, "fail", id, query, { json });

async function brewing(query = ""): Promise<string> {
  const { order_id } = await place(here);
  return expectOrder(await ask(`${here.baristas}/start/?order_id=${order_id}${query}`)).order_id;
}

test("a failed order goes back into its queue at once, and shows why until it is ready", async () => {
  const first = await brewing();
  const second = await place(here);
  const failed = expectOrder(await fail(first), { status: "queued", attempts: 1, error: "no milk" });
  expect(failed).not.toHaveProperty("barista");
  expectOrder(await ask(`${there.customers}/order/${first}`), { status: "queued", position: 1, error: "no milk" });
  expectOrder(await ask(`${there.baristas}/start/`), { order_id: first, attempts: 2, error: "no milk" });
  expect(expectOrder(await applyVerb(here, "finish", first), { status: "ready" })).not.toHaveProperty("error");
  expectStatus(await cancelByCustomer(here, second.order_id), 200);
});

test("after retry_after_seconds, and not before, it is given out again: also to a barista who waits elsewhere", async () => {
  const id = await brewing();
  const failedAt = performance.now();
  expectOrder(await fail(id, { error: "the grinder is jammed", retry_after_seconds: 2 }), { status: "queued" });
  expectProblem(await ask(`${here.baristas}/start/`), 404);
  expect((await lookAtQueue(here)).brewing).toBe(0);
  const started = await start(there, "wait=20&barista=Grace");
  expect(started).toMatchObject({ order_id: id, attempts: 2, barista: "Grace" });
  expect(performance.now() - failedAt).toBeGreaterThan(1900);
  expectOrder(await applyVerb(here, "finish", id));
});

test("a barista who chooses it need not wait, and its customer may cancel it while it waits", async () => {
  const [one, other] = [await brewing(), await brewing()];
  for (const id of [one, other]) expectOrder(await fail(id, { error: "later", retry_after_seconds: 86_400 }));
  expectOrder(await ask(`${here.baristas}/start/?order_id=${one}`), { status: "brewing", attempts: 2 });
  expectOrder(await applyVerb(here, "finish", one));
  expectOrder(await cancelByCustomer(here, other), { status: "cancelled", reason: "customer" });
});

test("without attempts it is cancelled, and its customer's 200 says why, wherever they are held", async () => {
  const id = await brewing();
  const held = [here, there].map(({ customers }) => ask(`${customers}/order/${id}?wait`));
  await Promise.all([untilHeld(here, 1), untilHeld(there, 1)]);
  expectOrder(await fail(id, { error: "no milk" }), { status: "queued" });
  await start(here, `order_id=${id}`);
  const end = { order_id: id, status: "cancelled", reason: "machine_error", error: "no beans", attempts: 2 } as const;
  expectOrder(await fail(id, { error: "no beans" }), end);
  for (const answer of await Promise.all(held)) expectOrder(answer, end);
});

test('with "retry": false it is cancelled at once; through curl too', async () => {
  const id = await brewing();
  const headers = { "Content-Type": "application/x-www-form-urlencoded" };
  const body = '{"error":"sold \\"out\\" 😀","retry":false,"retry_after_seconds":5}';
  const end = { status: "cancelled", reason: "machine_error", error: 'sold "out" 😀' } as const;
  expectOrder(await applyVerb(here, "fail", id, "", { body, headers }), end);
  expectOrder(await ask(`${there.customers}/order/${id}`), end);
});

test("an event says so: order.failed, with the error", async () => {
  const id = await brewing();
  const events = await EventClient.open(`${there.baristas}/events?order_id=${id}&type=order.failed,order.cancelled`);
  expectOrder(await fail(id));
  expectOrder(await fail(await again(id), { error: "no beans" }), { status: "cancelled" });
  await until(() => events.events.length === 2, "both are heard");
  expect(events.types).toEqual(["order.failed", "order.cancelled"]);
  expect(events.events.map(({ data }) => data)).toMatchObject([
    { status: "queued", error: "no milk", attempts: 1 },
    { status: "cancelled", reason: "machine_error", error: "no beans" },
  ]);
});

async function again(id: string): Promise<string> {
  return expectOrder(await ask(`${here.baristas}/start/?order_id=${id}`)).order_id;
}

test("fail of an order that is not brewing, or another's, is a conflict; of one that is not there, unknown", async () => {
  const queued = (await place(here)).order_id;
  expect(expectProblem(await fail(queued), 409).order_status).toBe("queued");
  await start(here, `order_id=${queued}&barista=Grace`);
  expect(expectProblem(await fail(queued, { error: "x" }, "barista=Linus"), 409).detail).toContain("Grace");
  expectOrder(await ask(`${here.customers}/order/${queued}`), { status: "brewing", barista: "Grace" });
  expectOrder(await applyVerb(here, "finish", queued));
  expect(expectProblem(await fail(queued), 409).order_status).toBe("ready");
  expectProblem(await fail("01938a5e-7c1b-7f3e-9a52-6f1d2c3b4a59"), 404);
});

test.each<[what: string, status: number, body: string, field: string | undefined]>([
  ["nothing", 422, "", "body"],
  ["no error", 422, "{}", "error"],
  ["an empty error", 422, '{"error":""}', "error"],
  ["an error of 501 characters", 422, JSON.stringify({ error: "😀".repeat(501) }), "error"],
  ["an error that is no text", 422, '{"error":5}', "error"],
  ["half a character", 422, '{"error":"\\ud83d"}', "error"],
  ["-1 seconds", 422, '{"error":"x","retry_after_seconds":-1}', "retry_after_seconds"],
  ["86401 seconds", 422, '{"error":"x","retry_after_seconds":86401}', "retry_after_seconds"],
  ["half a second", 422, '{"error":"x","retry_after_seconds":0.5}', "retry_after_seconds"],
  ["a retry that is no yes or no", 422, '{"error":"x","retry":"no"}', "retry"],
  ["a field that is not known", 422, '{"error":"x","reason":"y"}', "reason"],
  ["no object", 422, '"no milk"', "body"],
  ["no JSON", 400, "{", undefined],
  ["more than 16 KB", 413, JSON.stringify({ error: "x".repeat(17_000) }), undefined],
])("a failure with %s is refused with %d, and nothing changes", async (_what, status, body, field) => {
  const id = await brewing();
  const headers = { "Content-Type": "application/json" };
  expectProblem(await applyVerb(here, "fail", id, "", { body, headers }), status, field);
  expectOrder(await ask(`${here.customers}/order/${id}`), { status: "brewing", attempts: 1 });
  expectOrder(await applyVerb(here, "finish", id));
});

test("an error of 500 characters is taken, also where they are emoji", async () => {
  const error = "😀".repeat(500);
  expectOrder(await fail(await brewing(), { error, retry: false }), { error });
});
