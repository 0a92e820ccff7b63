/** The shop over HTTP: settings, menu, codes and reservations, and what is wrong with them. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { ask, expectProblem, order, type Answer } from "../support/http.ts";
import { startServer, type TestServer } from "../support/server.ts";

setDefaultTimeout(60_000);

let server: TestServer;
let other: TestServer;

beforeAll(async () => {
  const SHOP = `test-${crypto.randomUUID()}`;
  [server, other] = await Promise.all([
    startServer({ SHOP }),
    startServer({ SHOP, PUBLIC_URL: "https://coffee.test/" }),
  ]);
});

afterAll(async () => {
  await Promise.all([server.stop(), other.stop()]);
});

const patch = (json: unknown) => ask(`${server.baristas}/shop`, { method: "PATCH", json });
const readShop = async () => (await ask(`${server.baristas}/shop`)).body;

function expectRefusal(answer: Answer, status: number, name: string): void {
  expect(expectProblem(answer, status).type).toBe(`urn:longpour:problem:${name}`);
}

test.each([
  [{ colour: "red" }, "colour"],
  [{ capacity: -1 }, "capacity"],
  [{ capacity: 1.5 }, "capacity"],
  [{ open: "yes" }, "open"],
  [{ drinks_per_code: 0 }, "drinks_per_code"],
  [{ open: false, code_period_seconds: 1 }, "code_period_seconds"],
  [[], "body"],
])("PATCH /shop with %j names what is wrong, and nothing changes", async (json, field) => {
  const before = await readShop();
  expectProblem(await patch(json), 422, field);
  expect(await readShop()).toEqual(before);
});

test("closed on one replica is closed on the other, at once", async () => {
  expect((await patch({ open: false })).body).toMatchObject({ open: false, capacity: null, lease_seconds: 900 });
  const refused = await order(other, {});
  expectRefusal(refused, 503, "shop_closed");
  expect(refused.headers["retry-after"]).toMatch(/^\d+$/);
  expect((await ask(`${other.customers}/shop`)).body).toMatchObject({ open: false, full: false, queue_length: 0 });
  await patch({ open: true });
});

test.each([
  [{ item: "tea" }, "item"],
  [{ item: "latte", modifiers: { size: "big" } }, "modifiers.size"],
  [{ item: "latte", modifiers: { milk: "goat" } }, "modifiers.milk"],
  [{ item: "latte", price: 1 }, "price"],
  [{ item: "latte", number: 1 }, "number"],
  [{ item: "latte", status: "ready" }, "status"],
])("an order of %j names what is wrong, and nothing is queued", async (draft, field) => {
  expectProblem(await order(server, draft), 422, field);
  expect(await readShop()).toMatchObject({ open_orders: 0 });
});

const CHAI = { name: "Chai", description: "", price: 350, available: true, modifiers: [], icon: "🍵" };
const put = (id: string, json: unknown) => ask(`${server.baristas}/coffees/${id}`, { method: "PUT", json });

test("a coffee is put on the menu, changed, sold out, and taken off", async () => {
  expect(await put("chai", CHAI)).toMatchObject({ status: 201, body: { id: "chai", ...CHAI } });
  expect(await put("chai", { ...CHAI, available: false })).toMatchObject({ status: 200 });
  const { coffees } = (await ask(`${other.customers}/coffees`)).body as { coffees: object[] };
  expect(coffees).toContainEqual({ id: "chai", ...CHAI, available: false });
  expectProblem(await order(server, { item: "chai" }), 422, "item");
  expect((await ask(`${server.baristas}/coffees/chai`, { method: "DELETE" })).status).toBe(204);
  expectRefusal(await ask(`${server.baristas}/coffees/chai`, { method: "DELETE" }), 404, "coffee_unknown");
});

test.each([
  [{ ...CHAI, price: -1 }, "price"],
  [{ ...CHAI, price: "3.50" }, "price"],
  [{ ...CHAI, name: "" }, "name"],
  [{ ...CHAI, sugar: true }, "sugar"],
  [{ ...CHAI, modifiers: [{ name: "milk", options: [] }] }, "modifiers.0.options"],
  [{ ...CHAI, modifiers: [1, 2].map(() => ({ name: "milk", options: ["oat"] })) }, "modifiers"],
])("a coffee such as %j is refused", async (coffee, field) => {
  expectProblem(await put("chai", coffee), 422, field);
});

test("a code leads to a reservation, and that to an order", async () => {
  const { code, url, qr_svg, remaining } = (await ask(`${other.baristas}/code`)).body as Record<string, string>;
  expect(url).toBe(`https://coffee.test/?code=${code}`);
  expect(qr_svg).toStartWith("<svg");
  const reserve = (json: unknown, headers = {}) =>
    ask(`${server.customers}/reservation`, { method: "POST", json, headers });
  const reserved = await reserve({ code, customer_name: "Ada" }, { "Idempotency-Key": "scan-1" });
  expect(reserved).toMatchObject({ status: 201, body: { status: "reserved", customer_name: "Ada" } });
  const { order_id: id } = reserved.body as { order_id: string };
  expect(reserved.headers.location).toBe(`/order/${id}`);
  expect((await reserve({ code, customer_name: "Ada" }, { "Idempotency-Key": "scan-1" })).body).toEqual(reserved.body);
  expectRefusal(await reserve({ code }, { "Idempotency-Key": "scan-1" }), 422, "idempotency_mismatch");
  expectProblem(await reserve({ code: "OLDANDWRONG" }), 422, "code");
  expectProblem(await reserve({}), 422, "code");
  expect((await ask(`${server.baristas}/code`)).body).toMatchObject({ code, remaining: Number(remaining) - 1 });

  const choose = (json: unknown) => ask(`${other.customers}/order/${id}`, { method: "PUT", json });
  expectProblem(await choose({ item: "tea" }), 422, "item");
  expect(await choose({ item: "latte" })).toMatchObject({
    status: 200,
    body: { status: "queued", number: 1, price: 400 },
  });
  expectRefusal(await choose({ item: "mocha" }), 409, "order_conflict");
  const started = await ask(`${server.baristas}/start/?barista=Grace&order_id=${id}`);
  expect(started).toMatchObject({ status: 200, body: { status: "brewing", barista: "Grace" } });
  expectRefusal(await ask(`${server.baristas}/start/?barista=Linus&order_id=${id}`), 409, "order_conflict");
  expect((await ask(`${server.baristas}/finish/?order_id=${id}`, { method: "POST" })).status).toBe(200);
});

test("with codes required, an order without one is refused", async () => {
  await patch({ require_code: true });
  expectRefusal(await order(server, {}), 403, "code_required");
  await patch({ require_code: false });
});
