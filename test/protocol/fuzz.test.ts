/**
 * A small part of what `bun run fuzz` sends: requests made from the servers' own descriptions, and answers as
 * described. And the judge itself: what is not as described is a fault.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import { readDescription } from "../fuzz/description.ts";
import { faultIn } from "../fuzz/judge.ts";
import { PARTS, runPart } from "../fuzz/parts.ts";
import { assemble, type Answer, type Sent } from "../fuzz/wire.ts";
import { Stock } from "../fuzz/stock.ts";
import { place } from "../support/http.ts";
import { startServer } from "../support/server.ts";

setDefaultTimeout(120_000);

const REQUESTS = 1200;

test.each(PARTS)("every answer is as described: $name", async (part) => {
  const requests = Math.round(REQUESTS * part.share);
  const { sent, statuses, faults } = await runPart(part, requests);
  expect(faults).toEqual([]);
  expect(sent).toBe(requests);
  // Not vacuous: orders were placed, refused, found and not found.
  for (const status of [200, 202, 404, 405, 409, 422]) expect(statuses.get(status) ?? 0).toBeGreaterThan(0);
});

test("every path parameter is described by what it must be", async () => {
  const server = await startServer();
  for (const base of [server.customers, server.baristas]) {
    const { routes } = await readDescription(base);
    const inPath = routes.flatMap(({ operation }) => (operation.parameters ?? []).filter((one) => one.in === "path"));
    expect(inPath.length).toBeGreaterThan(0);
    const isDescribed = (schema: Record<string, unknown>): boolean =>
      "format" in schema || "pattern" in schema || "enum" in schema;
    expect(inPath.flatMap(({ name, schema }) => (isDescribed(schema) ? [] : [name]))).toEqual([]);
  }
});

test("the judge finds each kind of fault, and passes what is right", async () => {
  const server = await startServer();
  const description = await readDescription(server.customers);
  const queued = JSON.stringify(await place(server));
  const judge = (answer: Partial<Answer> & { type?: string }, body?: string): string | undefined => {
    const { type = "application/json", ...rest } = answer;
    const headers = new Map([["content-type", type], ...(rest.headers ?? [])]);
    return faultIn(
      description,
      sentOrder(body),
      { kind: "answer", status: 202, body: queued, ...rest, headers },
      false,
    );
  };
  const unknown = { type: "urn:longpour:problem:order_unknown", title: "No such order", status: 404, detail: "None." };
  const spent = { type: "urn:longpour:problem:too_many_orders", title: "Slow", status: 429, detail: "Wait." };
  const asProblem = { type: "application/problem+json" };

  expect(judge({})).toBeUndefined();
  expect(
    judge({ ...asProblem, status: 429, body: JSON.stringify(spent), headers: new Map([["retry-after", "1"]]) }),
  ).toBeUndefined();
  expect(judge({ ...asProblem, status: 429, body: JSON.stringify(spent) })).toContain("Retry-After");
  expect(judge({ ...asProblem, status: 410, body: JSON.stringify({ ...unknown, status: 410 }) })).toContain(
    "410 is not described",
  );
  expect(
    judge({
      ...asProblem,
      status: 429,
      body: JSON.stringify({ ...spent, type: unknown.type }),
      headers: new Map([["retry-after", "1"]]),
    }),
  ).toContain("type");
  expect(judge({ status: 500, body: "" })).toContain("500");
  expect(judge({ type: "text/html" })).toContain("text/html");
  expect(judge({ body: queued.replace('"queued"', '"lost"') })).toContain("status");
  expect(judge({}, '{"itemm":"latte"}')).toContain("was taken");
});

function sentOrder(body?: string): Sent {
  const headers = [["Prefer", "respond-async"]] as const;
  return assemble(
    { method: "POST", path: "/order/", query: [], headers, body, damage: undefined },
    new Stock(),
    "127.0.0.1",
  );
}
