/**
 * The menu over HTTP: what it starts with, what staff make of it, and what can be ordered from it.
 *
 * **Invariants**, looked at after every test
 * - The menu is the first one, nothing is queued, and the reservation is still open.
 */
import { afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import {
  ask,
  expectOrder,
  expectProblem,
  expectStatus,
  lookAtQueue,
  order,
  place,
  start,
  applyVerb,
  type WireOrder,
} from "../support/http.ts";
import { startServer, type Server } from "../support/server.ts";
import {
  changeShop,
  choose,
  deleteCoffee,
  expectRefusal,
  expectReserved,
  putCoffee,
  readCode,
  readMenu,
  type WireCoffee,
} from "../support/shop.ts";

setDefaultTimeout(60_000);

let server: Server;
/** Of the same shop. */
let other: Server;
let first: readonly WireCoffee[];
let reserved: WireOrder;

beforeAll(async () => {
  const environment = { SHOP: `test-${crypto.randomUUID()}`, LIMIT_CAPACITY: "10000" };
  [server, other] = await Promise.all([startServer(environment), startServer(environment)]);
  first = await readMenu(server);
  await changeShop(server, { code_period_seconds: 86_400, customer_timeout_seconds: 86_400 });
  reserved = await expectReserved(server, { code: (await readCode(server)).code });
});

afterEach(async () => {
  expect(await readMenu(other)).toEqual(first);
  expect(await lookAtQueue(server)).toMatchObject({ depth: 0, brewing: 0, held: 0 });
  expectOrder(await ask(`${server.customers}/order/${reserved.order_id}`), { status: "reserved" });
});

const CHAI = { name: "Chai", description: "", price: 350, available: true, modifiers: [], icon: "🍵" };
const json = { "Content-Type": "application/json" };
/** A customer who is let in by mistake is not waited for. */
const knocking = { ...json, Prefer: "respond-async" };

/** Makes one coffee of the first menu something else, until the test is over. */
async function changeCoffee(id: string, change: Partial<WireCoffee>): Promise<AsyncDisposable> {
  const { id: _, ...before } = first.find((coffee) => coffee.id === id) as WireCoffee;
  expectStatus(await putCoffee(server, id, { ...before, ...change }), 200);
  return { [Symbol.asyncDispose]: async () => void (await putCoffee(server, id, before)) };
}

/** Puts a coffee on the menu until the test is over. */
async function addCoffee(id: string, more: Partial<WireCoffee> = {}): Promise<AsyncDisposable> {
  expect(await putCoffee(server, id, { ...CHAI, ...more })).toMatchObject({
    status: 201,
    body: { id, ...CHAI, ...more },
  });
  return { [Symbol.asyncDispose]: async () => void (await deleteCoffee(server, id)) };
}

test("a new shop's menu: seven coffees, cheapest first, milk to choose in four of them; the same on both ports", async () => {
  const milk = [{ name: "milk", options: ["whole", "skimmed", "oat", "soy"] }];
  expect(first.map(({ id, price, modifiers }) => [id, price, modifiers])).toEqual([
    ["espresso", 250, []],
    ["americano", 300, []],
    ["double_espresso", 320, []],
    ["cappuccino", 370, milk],
    ["flat_white", 380, milk],
    ["latte", 400, milk],
    ["mocha", 450, milk],
  ]);
  for (const coffee of first) {
    expect(Object.keys(coffee)).toEqual(["id", "name", "description", "price", "available", "modifiers", "icon"]);
    expect(coffee.available).toBe(true);
    expect(coffee.name).not.toBe("");
  }
  expect((await ask(`${server.baristas}/coffees`)).body).toEqual({ coffees: first });
});

test("a coffee that is put on the menu can be ordered at once, on every replica; taken off, it can't", async () => {
  {
    await using _ = await addCoffee("chai");
    expect((await readMenu(server)).map(({ id }) => id)).toContain("chai");
    const { order_id } = await place(other, { item: "chai" });
    expectOrder(await applyVerb(server, "cancel", order_id), { item: "chai", price: 350 });
  }
  const problem = expectProblem(await order(other, { item: "chai" }, { headers: knocking }), 422, "item");
  expect(problem.detail).toContain("chai");
  expectRefusal(await deleteCoffee(server, "chai"), 404, "coffee_unknown");
});

test("a coffee that is sold out is refused by name, an americano that is not named too", async () => {
  await using soldOut = new AsyncDisposableStack();
  for (const id of ["latte", "americano"]) soldOut.use(await changeCoffee(id, { available: false }));
  for (const [draft, item] of [[{ item: "latte" }, "latte"] as const, [{}, "americano"] as const]) {
    for (const refused of [
      await order(other, draft, { headers: knocking }),
      await choose(other, reserved.order_id, draft),
    ]) {
      expect(expectProblem(refused, 422, "item").detail).toContain(item);
    }
  }
});

test("an order keeps the price and the drink that it was placed for, whatever becomes of the menu", async () => {
  const before = await place(server, { item: "latte", modifiers: { milk: "oat" } });
  expect(before.price).toBe(400);
  await using _ = await changeCoffee("latte", { price: 999, modifiers: [], available: true });
  const after = await place(other, { item: "latte" });
  expect(after.price).toBe(999);
  expectStatus(await deleteCoffee(server, "latte"), 204);
  const kept = { item: "latte", price: 400, modifiers: { milk: "oat" } };
  expectOrder(await ask(`${other.customers}/order/${before.order_id}`), { ...kept, status: "queued" });
  expect(await start(server)).toMatchObject({ order_id: before.order_id, ...kept });
  expectOrder(await applyVerb(server, "finish", before.order_id), { ...kept, status: "ready" });
  expectOrder(await applyVerb(server, "cancel", after.order_id), { price: 999 });
});

test("a coffee's price may be nothing or 10,000.00, and other ways to write a whole number are one", async () => {
  for (const price of ["0", "1000000", "3.5e2", "350.0", "-0"]) {
    const body = JSON.stringify(CHAI).replace("350", price);
    const put = await ask(`${server.baristas}/coffees/chai`, { method: "PUT", headers: json, body });
    await deleteCoffee(server, "chai");
    expectStatus(put, 201);
    expect((put.body as WireCoffee).price).toBe(Number(price) + 0);
  }
});

const modifier = (more: object) => ({ ...CHAI, modifiers: [{ name: "milk", options: ["oat"], ...more }] });
const many = <Value>(count: number, make: (index: number) => Value) =>
  Array.from({ length: count }, (_, at) => make(at));
const HALF = "\uD83D";

test.each([
  ...Object.keys(CHAI).flatMap((field) => [
    [`no ${field}`, { ...CHAI, [field]: undefined }, field],
    [`${field} null`, { ...CHAI, [field]: null }, field],
    [`${field} of another type`, { ...CHAI, [field]: { a: 1 } }, field],
  ]),
  ["a price below 0", { ...CHAI, price: -1 }, "price"],
  ["a price of half a cent", { ...CHAI, price: 0.5 }, "price"],
  ["a huge price", { ...CHAI, price: 1_000_001 }, "price"],
  ["a price no integer can be", { ...CHAI, price: 1e300 }, "price"],
  ["a price as text", { ...CHAI, price: "350" }, "price"],
  ["another id than its path", { ...CHAI, id: "latte" }, "id"],
  ["an unknown field", { ...CHAI, sugar: true }, "sugar"],
  ["an empty name", { ...CHAI, name: "" }, "name"],
  ["a name of blanks", { ...CHAI, name: " \t " }, "name"],
  ["a name of 61 characters", { ...CHAI, name: "x".repeat(61) }, "name"],
  ["a description of 201 characters", { ...CHAI, description: "x".repeat(201) }, "description"],
  ["an icon of 17 characters", { ...CHAI, icon: "x".repeat(17) }, "icon"],
  ["available as text", { ...CHAI, available: "true" }, "available"],
  ["modifiers that are texts", { ...CHAI, modifiers: ["milk"] }, "modifiers.0"],
  ["a modifier without a name", modifier({ name: undefined }), "modifiers.0.name"],
  ["a modifier of 41 characters", modifier({ name: "x".repeat(41) }), "modifiers.0.name"],
  ["a modifier with a price", modifier({ price: 50 }), "modifiers.0.price"],
  ["a modifier without options", modifier({ options: [] }), "modifiers.0.options"],
  ["an option twice", modifier({ options: ["oat", "soy", "oat"] }), "modifiers.0.options"],
  ["21 options", modifier({ options: many(21, String) }), "modifiers.0.options"],
  ["an empty option", modifier({ options: [""] }), "modifiers.0.options.0"],
  ["an option that is a list", modifier({ options: [["oat"]] }), "modifiers.0.options.0"],
  ["a modifier twice", { ...CHAI, modifiers: many(2, () => ({ name: "milk", options: ["oat"] })) }, "modifiers"],
  ["11 modifiers", { ...CHAI, modifiers: many(11, (at) => ({ name: `m${at}`, options: ["x"] })) }, "modifiers"],
  ["half a character in its name", { ...CHAI, name: HALF }, "name"],
  ["half a character in its description", { ...CHAI, description: `a${HALF}b` }, "description"],
  ["half a character as icon", { ...CHAI, icon: HALF }, "icon"],
  ["half a character in a modifier", modifier({ name: HALF }), "modifiers.0.name"],
  ["half a character in an option", modifier({ options: ["oat", HALF] }), "modifiers.0.options.1"],
  ["a list", [CHAI], "body"],
  ["a text", "Chai", "body"],
  ["nothing at all", undefined, "body"],
] as [string, unknown, string][])(
  "a coffee with or as %s is refused, naming the field",
  async (_what, coffee, field) => {
    expectProblem(await putCoffee(server, "chai", coffee), 422, field);
    expectProblem(await putCoffee(server, "latte", coffee), 422, field);
  },
);

test("a coffee that is no JSON, of another type, or too large is refused", async () => {
  const put = (body: string, headers = json) =>
    ask(`${server.baristas}/coffees/latte`, { method: "PUT", headers, body });
  expectRefusal(await put('{"name":'), 400, "malformed_json");
  expectRefusal(await put(JSON.stringify(CHAI), { "Content-Type": "text/plain" }), 415, "not_json");
  expectRefusal(await put(JSON.stringify(CHAI).padEnd(16_385)), 413, "body_too_large");
});

test.each(["Chai", "c".repeat(65), "a%20b", "%00", "chai%0A", "%F0%9F%8D%B5", "%zz", "..%2Flatte"])(
  "no coffee has the id %s",
  async (id) => {
    expectProblem(await putCoffee(server, id, CHAI), 422, "id");
    expectProblem(await deleteCoffee(server, id), 422, "id");
  },
);

const choice = (modifiers: string) => `{"item":"latte","modifiers":${modifiers}}`;
const nested = '{"a":'.repeat(1000) + "1" + "}".repeat(1000);
const keys = (count: number) => JSON.stringify(Object.fromEntries(many(count, (at) => [`m${at}`, "x"])));

test.each([
  ["a coffee that is not on the menu", '{"item":"tea"}', "item"],
  ["a coffee of no possible id", '{"item":"latte\\n"}', "item"],
  ["__proto__ as coffee", '{"item":"__proto__"}', "item"],
  ["constructor as coffee", '{"item":"constructor"}', "item"],
  ["a price", '{"item":"latte","price":1}', "price"],
  ["a number", '{"item":"latte","number":1}', "number"],
  ["a state", '{"item":"latte","status":"ready"}', "status"],
  ["a modifier that the coffee has not", choice('{"size":"big"}'), "modifiers.size"],
  ["a modifier that only others have", '{"modifiers":{"milk":"oat"}}', "modifiers.milk"],
  ["an option that the modifier has not", choice('{"milk":"goat"}'), "modifiers.milk"],
  ["an option and a newline", choice('{"milk":"oat\\n"}'), "modifiers.milk"],
  ["an option twice, the last one unknown", choice('{"milk":"oat","milk":"goat"}'), "modifiers.milk"],
  ["an empty option", choice('{"milk":""}'), "modifiers.milk"],
  ["an option that is a number", choice('{"milk":1}'), "modifiers.milk"],
  ["an option that is a list", choice('{"milk":["oat"]}'), "modifiers.milk"],
  ["an option that is an object", choice('{"milk":{"a":1}}'), "modifiers.milk"],
  ["an option a thousand objects deep", choice(`{"milk":${nested}}`), "modifiers.milk"],
  ["modifiers that are a list", choice('["oat"]'), "modifiers"],
  ["modifiers that are an empty list", choice("[]"), "modifiers"],
  ["modifiers that are a text", choice('"oat"'), "modifiers"],
  ["modifiers that are null", choice("null"), "modifiers"],
  ["eleven modifiers", choice(keys(11)), "modifiers"],
  ["a thousand modifiers", choice(keys(1000)), "modifiers"],
  ["a modifier without a name", choice('{"":"oat"}'), "modifiers."],
  ["a modifier of 41 characters", choice(`{"${"m".repeat(41)}":"oat"}`), `modifiers.${"m".repeat(41)}`],
  ["a modifier with a newline", choice('{"mi\\nlk":"oat"}'), "modifiers.mi\nlk"],
  ["a modifier and NUL", choice('{"milk\\u0000":"oat"}'), "modifiers.milk\0"],
  ["__proto__ as modifier", choice('{"__proto__":"oat"}'), "modifiers.__proto__"],
  ["__proto__ as modifier, an object", choice('{"__proto__":{"milk":"oat"}}'), "modifiers.__proto__"],
  ["constructor as modifier", choice('{"constructor":"oat"}'), "modifiers.constructor"],
  ["toString as option", choice('{"milk":"toString"}'), "modifiers.milk"],
  ["half a character as modifier", choice('{"\\ud83d":"oat"}'), "modifiers"],
  ["half a character as option", choice('{"milk":"\\ud83d"}'), "modifiers.milk"],
  ["half a character in the note", '{"item":"latte","note":"a\\uDE00b"}', "note"],
  ["half a character as customer", '{"item":"latte","customer_name":"\\ud83d"}', "customer_name"],
])("an order of or with %s is refused, naming the field; so is a reservation's choice", async (_what, body, field) => {
  expectProblem(await ask(`${server.customers}/order/`, { method: "POST", headers: knocking, body }), 422, field);
  const url = `${server.customers}/order/${reserved.order_id}`;
  expectProblem(await ask(url, { method: "PUT", headers: json, body }), 422, field);
});

test("an order with ten thousand modifiers, or a choice, is too large", async () => {
  const body = choice(keys(10_000));
  for (const [method, path] of [
    ["POST", "/order/"],
    ["PUT", `/order/${reserved.order_id}`],
  ] as const) {
    expectRefusal(await ask(server.customers + path, { method, headers: json, body }), 413, "body_too_large");
  }
});

test("names that mean something in a language are names like any other, and what is said comes through as it was", async () => {
  const names = ["__proto__", "constructor", "toString", "a.b/c~d", 'größe\n"\\😀', "</script>"];
  const modifiers = names.map((name) => ({ name, options: names }));
  await using _ = await addCoffee("constructor", { modifiers });
  const wanted = `{${names.map((name) => `${JSON.stringify(name)}:${JSON.stringify(name)}`).join()}}`;
  const body = `{"item":"constructor","modifiers":${wanted}}`;

  const { order_id: placed } = expectOrder(await order(server, undefined, { headers: knocking, body }), {}, 202);
  const { order_id: chosen } = await expectReserved(server, { code: (await readCode(server)).code });
  const completed = await ask(`${server.customers}/order/${chosen}`, { method: "PUT", headers: json, body });
  expectOrder(completed, { status: "queued", price: 350 });
  for (const order_id of [placed, chosen]) {
    const started = await start(server);
    expect(started.order_id).toBe(order_id);
    const given = started.modifiers ?? {};
    expect(Object.keys(given).toSorted()).toEqual(names.toSorted());
    for (const [name, option] of Object.entries(given)) expect(option).toBe(name);
    expectOrder(await applyVerb(server, "finish", order_id), { status: "ready" });
  }
});

test("a menu has at most 200 coffees; when it is full, they can still be changed, or make room", async () => {
  const own = await startServer();
  const room = 200 - first.length;
  const put = await Promise.all(many(room, (at) => putCoffee(own, `chai-${at}`, CHAI)));
  for (const answer of put) expectStatus(answer, 201);
  expectRefusal(await putCoffee(own, "one-more", CHAI), 409, "menu_full");
  expectStatus(await putCoffee(own, "chai-0", { ...CHAI, price: 1 }), 200);
  expectStatus(await deleteCoffee(own, "chai-1"), 204);
  expectStatus(await putCoffee(own, "one-more", CHAI), 201);
  expect(await readMenu(own)).toHaveLength(200);
  await own.stop();
});

test("whatever a modifier is called, each order that asks for it gets its own answer", async () => {
  const names = [
    "a\nplaced\tb\t1\t0\t0",
    "line\nbreak",
    "tab\tbetween",
    'a "quote" \\ and /',
    "\u0000",
    "\u2028",
    "é ☕",
  ];
  const body = (name: string) => JSON.stringify({ item: "latte", modifiers: { [name]: "oat" } });
  const put = (name: string) =>
    ask(`${server.customers}/order/${reserved.order_id}`, { method: "PUT", headers: json, body: body(name) });
  // Together they are one turn of the server's.
  const answers = await Promise.all(
    names.flatMap((name) => [order(server, undefined, { headers: knocking, body: body(name) }), put(name)]),
  );
  for (const [at, answer] of answers.entries()) {
    expectRefusal(answer, 422, "invalid_input");
    const { errors } = answer.body as { errors: readonly { field: string }[] };
    expect(errors.map(({ field }) => field)).toEqual([`modifiers.${names[Math.floor(at / 2)]}`]);
  }
});
