/**
 * Wrong bodies, queries and headers: each is answered with one clear problem.
 *
 * **Invariants**, looked at after every test
 * - The order that was queued before is still there, and no other one is.
 */
import { afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { ask, expectProblem, lookAtQueue, order, place, type WireOrder } from "../support/http.ts";
import { startServer, type Server } from "../support/server.ts";

const NO_ORDER = "01938a5e-7c1b-7f3e-9a52-6f1d2c3b4a59";

setDefaultTimeout(60_000);

let server: Server;
let witness: WireOrder;

beforeAll(async () => {
  server = await startServer();
  witness = await place(server, { item: "mocha" });
});

afterEach(async () => {
  expect(await lookAtQueue(server)).toMatchObject({ depth: 1, brewing: 0, held: 0 });
  const { body } = await ask(`${server.customers}/order/${witness.order_id}`);
  expect(body).toMatchObject({ status: "queued", item: "mocha", position: 1 });
});

const json = { "Content-Type": "application/json" };

test.each([
  ["cut off", '{"item":'],
  ["not JSON", "americano, please"],
  ["only spaces", "   "],
  ["two values", '{"item":"latte"} {}'],
  ["a trailing comma", '{"item":"latte",}'],
  ["a comment", '{"item":"latte" /* hot */}'],
  ["not UTF-8", new Uint8Array([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d])],
  ["UTF-16", new Uint8Array([0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00])],
])("a body that is %s is malformed, with and without the last slash", async (_what, body) => {
  for (const path of ["/order/", "/order"]) {
    expectProblem(await ask(server.customers + path, { method: "POST", headers: json, body }), 400);
  }
  const cancelling = { method: "PATCH", headers: json, body };
  expectProblem(await ask(`${server.customers}/order/${witness.order_id}`, cancelling), 400);
});

test.each([
  ["null", "null", "body"],
  ["an array", "[]", "body"],
  ["a text", '"latte"', "body"],
  ["a number", "1", "body"],
  ["an unknown field", '{"size":"xl"}', "size"],
  ["__proto__", '{"__proto__":{"item":"latte"}}', "__proto__"],
  ["constructor", '{"constructor":{}}', "constructor"],
  ["an unknown item", '{"item":"tea"}', "item"],
  ["an item of another type", '{"item":7}', "item"],
  ["an item that is null", '{"item":null}', "item"],
  ["an item twice, the last one unknown", '{"item":"latte","item":"tea"}', "item"],
  ["a note of 201 characters", JSON.stringify({ note: "x".repeat(201) }), "note"],
  ["a note of 201 wide characters", JSON.stringify({ note: "😀".repeat(201) }), "note"],
  ["a note that is a number", '{"note":5}', "note"],
  ["an empty customer_id", '{"customer_id":""}', "customer_id"],
  ["a customer_id of 65 characters", JSON.stringify({ customer_id: "x".repeat(65) }), "customer_id"],
  ["a customer_name of 101 characters", JSON.stringify({ customer_name: "x".repeat(101) }), "customer_name"],
])("a body that is or has %s is refused, naming the field", async (_what, body, field) => {
  for (const path of ["/order/", "/order"]) {
    expectProblem(await ask(server.customers + path, { method: "POST", headers: json, body }), 422, field);
  }
});

test("all faulty fields are named at once", async () => {
  const answer = await order(server, { item: "Tea!", note: 1, size: "xl" });
  const { errors } = expectProblem(answer, 422);
  expect(errors?.map(({ field }) => field).toSorted()).toEqual(["item", "note", "size"]);
});

test.each([
  "text/plain",
  "application/x-www-form-urlencoded",
  "multipart/form-data; boundary=x",
  "text/json",
  "application/jsonx",
  "json",
])("a body of type %s is not JSON", async (type) => {
  const asking = { headers: { "Content-Type": type }, body: '{"item":"latte"}' };
  expectProblem(await ask(`${server.customers}/order/`, { method: "POST", ...asking }), 415);
  expectProblem(await ask(`${server.customers}/order/${witness.order_id}`, { method: "PATCH", ...asking }), 415);
});

test("a body without a type that does not parse is not JSON", async () => {
  expectProblem(await ask(`${server.customers}/order/`, { method: "POST", body: "item=latte" }), 415);
});

test.each([
  ["is missing", undefined],
  ["is empty", {}],
  ["has another status", { status: "ready" }],
  ["has more than the status", { status: "cancelled", reason: "barista" }],
])("a cancellation that %s is refused", async (_what, body) => {
  const asking = body === undefined ? {} : { json: body };
  expectProblem(await ask(`${server.customers}/order/${witness.order_id}`, { method: "PATCH", ...asking }), 422);
});

const NO_WAITS = ["-1", "abc", "1.5", "%2B1", "86401", "999999999999"];

test.each(NO_WAITS)("?wait=%s is refused on both ports", async (wait) => {
  expectProblem(await ask(`${server.customers}/order/${witness.order_id}?wait=${wait}`), 422, "wait");
  expectProblem(await ask(`${server.baristas}/start/?wait=${wait}`), 422, "wait");
});

test.each([
  "wait=-1",
  "wait=abc",
  "wait=1.5",
  "wait=86401",
  "wait=99999999999999999999",
  "wait=",
  "wait",
  "respond-async, wait=soon",
])("Prefer: %s is refused", async (prefer) => {
  const headers = { Prefer: prefer };
  expectProblem(await order(server, {}, { headers }), 422, "Prefer: wait");
  expectProblem(await ask(`${server.customers}/order/${witness.order_id}`, { headers }), 422, "Prefer: wait");
});

test.each(["", "k".repeat(256), "tab\there"])("an Idempotency-Key that is %p is refused", async (key) => {
  expectProblem(await order(server, {}, { headers: { "Idempotency-Key": key } }), 422, "Idempotency-Key");
});

const VERBS = ["finish", "release", "extend", "cancel"] as const;

test.each(VERBS)("%s without an order_id, or with one that is no UUID, is refused", async (verb) => {
  for (const query of [
    "",
    "?order_id",
    "?order_id=",
    "?order_id=abc",
    `?order_id=${NO_ORDER}0`,
    `?order_id={${NO_ORDER}}`,
  ]) {
    expectProblem(await ask(`${server.baristas}/${verb}/${query}`, { method: "POST" }), 422, "order_id");
  }
});

test.each(VERBS)("%s of an unknown order says so", async (verb) => {
  const { detail } = expectProblem(
    await ask(`${server.baristas}/${verb}/?order_id=${NO_ORDER}`, { method: "POST" }),
    404,
  );
  expect(detail).toContain("no order");
});

test.each(VERBS)("%s by a barista of no or too long a name is refused", async (verb) => {
  for (const barista of ["", "b".repeat(65)]) {
    const url = `${server.baristas}/${verb}/?order_id=${witness.order_id}&barista=${barista}`;
    expectProblem(await ask(url, { method: "POST" }), 422, "barista");
  }
});

test("two order_ids are refused: a barista who sends both means both, and only one would be finished", async () => {
  const url = `${server.baristas}/finish/?order_id=${NO_ORDER}&order_id=${NO_ORDER.replace("0", "1")}`;
  expectProblem(await ask(url, { method: "POST" }), 422, "order_id");
});

test.each(["", "?wait", "?wait=1"])("who asks for an unknown order with %p learns so", async (query) => {
  expectProblem(await ask(`${server.customers}/order/${NO_ORDER}${query}`), 404);
});

test("both ports say so of an unknown order", async () => {
  expectProblem(await ask(`${server.customers}/order/${NO_ORDER}`, { headers: { Prefer: "wait=1" } }), 404);
  expectProblem(
    await ask(`${server.customers}/order/${NO_ORDER}`, { method: "PATCH", json: { status: "cancelled" } }),
    404,
  );
  expectProblem(await ask(`${server.baristas}/order/${NO_ORDER}`), 404);
});

test("an id that is no UUID is refused on both ports", async () => {
  for (const id of ["1", "abc", `${NO_ORDER}0`, "%zz", "%00", "{shop}:order", "..%2f..%2fetc"]) {
    expectProblem(await ask(`${server.customers}/order/${id}`), 422, "id");
    expectProblem(
      await ask(`${server.customers}/order/${id}`, { method: "PATCH", json: { status: "cancelled" } }),
      422,
      "id",
    );
    expectProblem(await ask(`${server.baristas}/order/${id}`), 422, "id");
  }
});

test.each([
  ["barista", ""],
  ["barista", "b".repeat(65)],
  ["queue", ""],
  ["queue", "a b"],
  ["queue", "{main}:x"],
  ["queue", "q".repeat(65)],
])("start with %s=%p is refused", async (field, value) => {
  expectProblem(await ask(`${server.baristas}/start/?${field}=${encodeURIComponent(value)}`), 422, field);
});

test.each([
  ["status", "lost"],
  ["date", "today"],
  ["date", "2026-13-01"],
  ["date", "2026-02-30"],
  ["date", "2026-11-20T09:00:00Z"],
  ["from", "yesterday"],
  ["from", "2026-02-30T09:00:00Z"],
  ["from", "2026-11-20T25:00:00Z"],
  ["to", "5"],
  ["cursor", "abc"],
  ["cursor", NO_ORDER],
  ["limit", "0"],
  ["limit", "201"],
  ["limit", "many"],
  ["customer_id", ""],
  ["customer_id", "x".repeat(65)],
])("a search with %s=%s is refused", async (field, value) => {
  expectProblem(await ask(`${server.baristas}/order/?${field}=${encodeURIComponent(value)}`), 422, field);
});

test("a cancellation by a barista with an unknown reason is refused", async () => {
  const url = `${server.baristas}/cancel/?order_id=${witness.order_id}&reason=bored`;
  expectProblem(await ask(url, { method: "POST" }), 422, "reason");
});
