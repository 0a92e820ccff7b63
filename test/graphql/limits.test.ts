/** What is too much or makes no sense is answered with 400 and what is wrong, and costs Redis nothing. */
import { beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { ask, expectProblem, lookAtQueue, type Answer } from "../support/http.ts";
import { startServer, type Server } from "../support/server.ts";
import type { SaidError } from "./client.ts";

setDefaultTimeout(60_000);

const TOKEN = "hush-hush-42";

let server: Server;
let guarded: Server;

beforeAll(async () => {
  server = await startServer();
  guarded = await startServer({ STAFF_TOKEN: TOKEN });
});

interface Said {
  readonly data?: unknown;
  readonly errors?: readonly SaidError[];
}

function post(query: string, base = server.customers, headers: Record<string, string> = {}): Promise<Answer> {
  return ask(`${base}/graphql`, { method: "POST", json: { query }, headers });
}

/** Expects a request to be refused as a whole, with these words. */
async function expectMalformed(query: string, words: string | RegExp, base = server.customers): Promise<void> {
  for (const accept of ["application/json", "application/graphql-response+json", "*/*"]) {
    const answer = await post(query, base, { Accept: accept });
    expect(answer.status).toBe(400);
    const { data, errors = [] } = answer.body as Said;
    expect(data).toBeUndefined();
    expect(errors[0]?.message).toMatch(words);
    expect(errors[0]?.extensions).toMatchObject({ code: "malformed_query", status: 400 });
    expect(answer.text).not.toMatch(/node_modules|\.ts\b/);
  }
}

test("a thousand aliases", async () => {
  const aliases = (count: number) => Array.from({ length: count }, (_, at) => `a${at}: getCoffees { id }`).join(" ");
  await expectMalformed(`{ ${aliases(1000)} }`, "Aliases limit of 15 exceeded, found 1000");
  await expectMalformed(
    `{ ...many } fragment many on Query { ${aliases(16)} }`,
    "Aliases limit of 15 exceeded, found 16",
  );
  expect((await post(`{ ${aliases(15)} }`)).status).toBe(200);
  const orders = Array.from({ length: 1000 }, (_, at) => `a${at}: createOrder { id }`).join(" ");
  await expectMalformed(`mutation { ${orders} }`, "Aliases limit");
  expect((await lookAtQueue(server)).depth).toBe(0);
});

test("too deep, also by fragments and by introspection", async () => {
  const nested = (levels: number): string => (levels === 0 ? "id" : `... on Coffee { ${nested(levels - 1)} }`);
  await expectMalformed(`{ getCoffees { ${nested(20)} } }`, "depth limit of 10 exceeded, found 22");
  const types = (levels: number): string => (levels === 0 ? "name" : `ofType { ${types(levels - 1)} }`);
  await expectMalformed(`{ __type(name: "Order") { ${types(12)} } }`, "depth limit");
  const fields = "fields { type { fields { type { fields { type { fields { name } } } } } } }";
  await expectMalformed(`{ __schema { types { ${fields} } } }`, /introspection depth/i);
  await expectMalformed("{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }", /itself|depth|Aliases/);
});

test("too costly", async () => {
  const order = "id number status state item price note customerId barista placedAt startedAt finishedAt result input";
  const list = (at: number): string =>
    `l${at}: getOrderList(first: 200) { orders { ${order} modifiers { name option } } }`;
  expect((await post(`{ ${list(1)} }`, server.baristas)).status).toBe(200);
  await expectMalformed(`{ ${[1, 2, 3, 4].map(list).join(" ")} }`, "Cost limit of 20000 exceeded", server.baristas);
});

test("an unknown field, an unknown argument, a wrong type, half a query", async () => {
  await expectMalformed("{ getTeas { id } }", 'Cannot query field "getTeas"');
  await expectMalformed("mutation { createOrder(price: 1) { id } }", 'Unknown argument "price"');
  await expectMalformed("mutation { createOrder(wait: 7) { id } }", "Boolean");
  await expectMalformed("{ getCoffees {", "Syntax Error");
  await expectMalformed("", "Syntax Error");
  await expectMalformed(
    "query a { getCoffees { id } } query b { getCoffees { id } }",
    "Could not determine what operation",
  );
});

test("the customers' schema does not name what only staff may do, and staff's is behind the token", async () => {
  const staffOnly = ["getOrderList { cursor }", "getFulfilmentList { cursor }", "getPaymentList { cursor }"];
  for (const field of staffOnly) await expectMalformed(`{ ${field} }`, "Cannot query field");
  await expectMalformed('mutation { completeFulfilment(id: "1") { id } }', 'Cannot query field "completeFulfilment"');
  await expectMalformed('mutation { takePayment(id: "1") { id } }', 'Cannot query field "takePayment"');
  const { text } = await post("{ __schema { types { name fields { name } } } }");
  expect(text).toContain("getCoffees");
  expect(text).not.toMatch(/fulfilment|OrderList|PaymentList|takePayment|refundPayment/i);
  expect((await post("{ getOrderList { cursor } }", guarded.baristas)).status).toBe(401);
  expectProblem(await ask(`${guarded.baristas}/graphql?query={__typename}`), 401);
  const headers = { Authorization: `Bearer ${TOKEN}` };
  expect((await post("{ getOrderList { cursor } }", guarded.baristas, headers)).body).toEqual({
    data: { getOrderList: { cursor: null } },
  });
});

test("what is no request of GraphQL is a problem, as on every route", async () => {
  const url = `${server.customers}/graphql`;
  const json = { "Content-Type": "application/json" };
  expectProblem(await ask(url, { method: "POST", body: "{", headers: json }), 400);
  expectProblem(await ask(url, { method: "POST", body: "query=1", headers: { "Content-Type": "text/plain" } }), 415);
  expectProblem(await ask(url, { method: "POST" }), 422, "body");
  expectProblem(await ask(url, { method: "POST", json: { query: 5 } }), 422, "query");
  expectProblem(await ask(url, { method: "POST", json: { query: "{a}", variables: [] } }), 422, "variables");
  expectProblem(await ask(url, { method: "POST", json: [{ query: "{ getCoffees { id } }" }] }), 422, "body");
  expectProblem(await ask(url, { method: "POST", json: { query: "x".repeat(70_000) } }), 413);
  expectProblem(await ask(url), 422, "query");
  expectProblem(await ask(`${url}?query={__typename}&variables=[1]`), 422, "variables");
  expectProblem(await ask(url, { method: "PUT", json: {} }), 405);
  const other = { "Sec-Fetch-Site": "cross-site", Origin: "https://other.example" };
  expectProblem(await ask(url, { method: "POST", json: { query: "{ __typename }" }, headers: other }), 403);
});

test("a GET queries, and changes nothing", async () => {
  const get = (query: string) => ask(`${server.customers}/graphql?${new URLSearchParams({ query }).toString()}`);
  expect((await get("{ __typename }")).body).toEqual({ data: { __typename: "Query" } });
  const refused = await get("mutation { createOrder { id } }");
  expect(refused.status).toBe(400);
  expect((refused.body as Said).errors?.[0]?.message).toContain("POST");
  expect((await lookAtQueue(server)).depth).toBe(0);
});
