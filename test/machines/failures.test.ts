/** Machines that answer or throw what they may not: the order fails, one line is logged, the server lives. */
import { beforeAll, afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { Type } from "@sinclair/typebox";
import { defineMachine } from "../../src/machines/machine.ts";
import { ask } from "../support/http.ts";
import { call, MachineServer, orderOf } from "../support/machines.ts";

setDefaultTimeout(60_000);

const SECRET = "Ada-Lovelace";
const circular: Record<string, unknown> = { sum: 1 };
circular.self = circular;

/** A way to fail: what the machine does with it, the kind that is logged, and what the customer reads. */
const WAYS: Readonly<Record<string, { make: () => unknown; fault: string; error: RegExp }>> = {
  "throws an error": {
    make: () => fail(new TypeError(`no cup for ${SECRET}`)),
    fault: "threw",
    error: /^no cup for Ada/,
  },
  "throws an error of many lines": {
    make: () => fail(new Error(`${SECRET}\n    at ${SECRET}`)),
    fault: "threw",
    error: /^Ada/,
  },
  "throws a string": { make: () => fail(SECRET), fault: "threw", error: /^Ada-Lovelace$/ },
  "throws nothing": { make: () => fail(undefined), fault: "threw", error: /what is no error$/ },
  "throws an object": { make: () => fail({ message: SECRET }), fault: "threw", error: /what is no error$/ },
  "throws an error without words": { make: () => fail(new Error("")), fault: "threw", error: /^the machine failed$/ },
  "throws what can't be read": { make: () => fail(unreadable()), fault: "threw", error: /what is no error$/ },
  "throws a text of 600 characters": { make: () => fail("😀".repeat(600)), fault: "threw", error: /^(😀){500}$/u },
  rejects: { make: () => Promise.reject(new Error(SECRET)), fault: "threw", error: /^Ada/ },
  "says a wrong progress": { make: () => fail(new RangeError("progress")), fault: "threw", error: /^progress/ },
  "answers undefined": { make: () => undefined, fault: "unwritable_output", error: /it is undefined$/ },
  "answers a circular object": { make: () => circular, fault: "unwritable_output", error: /JSON can't hold it/ },
  "answers a bigint": { make: () => ({ sum: 1n }), fault: "unwritable_output", error: /JSON can't hold it/ },
  "answers a function": { make: () => () => 1, fault: "unwritable_output", error: /JSON can't hold it/ },
  "answers 300 KB": {
    make: () => ({ sum: 1, text: "x".repeat(300 * 1024) }),
    fault: "unwritable_output",
    error: /307\d{3} bytes/,
  },
  "answers what throws when it is written": {
    make: () => ({ toJSON: () => fail(SECRET) }),
    fault: "unwritable_output",
    error: /can't be sent/,
  },
  "answers half a character": {
    make: () => ({ sum: 1, text: "\ud83d" }),
    fault: "unwritable_output",
    error: /text must be Unicode/,
  },
  "answers 101 levels": { make: () => nested(101), fault: "unwritable_output", error: /at most 100 levels/ },
  "answers another type": {
    make: () => ({ sum: SECRET }),
    fault: "forbidden_output",
    error: /sum is wrong: expected number$/,
  },
  "answers what is not known": {
    make: () => ({ sum: 1, [SECRET]: 1 }),
    fault: "forbidden_output",
    error: /is not known here/,
  },
  "answers NaN": {
    make: () => ({ sum: Number.NaN }),
    fault: "forbidden_output",
    error: /sum is wrong: expected number$/,
  },
  "answers null": { make: () => null, fault: "forbidden_output", error: /result is wrong: expected object$/ },
};

function fail(thrown: unknown): never {
  throw thrown;
}

/** Any look at it throws. */
function unreadable(): object {
  return new Proxy({}, { getPrototypeOf: () => fail(SECRET), get: () => fail(SECRET) });
}

function nested(levels: number): unknown {
  return JSON.parse("[".repeat(levels) + "]".repeat(levels)) as unknown;
}

const Sum = Type.Object({ sum: Type.Number(), text: Type.Optional(Type.String()) }, { additionalProperties: false });

/** One queue a way, so that the lines of each can be told apart. */
const ways = Object.entries(WAYS).map(([name, way], index) => ({ name, queue: `way-${index}`, ...way }));
const machines = ways.map(({ queue, make }) =>
  defineMachine({
    queue,
    input: Type.Object({ name: Type.String() }),
    output: Sum,
    make: async ({ name }) => (name === "well" ? { sum: 1 } : ((await make()) as { sum: number })),
  }),
);

let server: MachineServer;
beforeAll(async () => {
  server = await MachineServer.open({ machines });
});
afterAll(() => server.stop());

describe("a machine that", () => {
  test.each(ways.map((way) => [way.name, way] as const))("%s fails the order, and goes on", async (_name, way) => {
    const order = orderOf(await call(server, way.queue, { name: SECRET }));
    expect(order).toMatchObject({ status: "cancelled", reason: "machine_error", attempts: 1 });
    expect(order).not.toHaveProperty("result");
    expect(order.error).toMatch(way.error);
    const lines = server.failures.filter(({ queue }) => queue === way.queue);
    expect(lines).toMatchObject([{ fault: way.fault }]);
    expect(orderOf(await call(server, way.queue, { name: "well" })).result).toEqual({ sum: 1 });
  });
});

test("what a machine failed is among the dead letters", async () => {
  const { order_id } = orderOf(await call(server, "way-0", { name: SECRET }));
  const { body } = await ask(`${server.baristas}/dead?queue=way-0`);
  expect(body).toMatchObject({ orders: [{ order_id, reason: "machine_error" }, {}] });
});

test("the log has no words of theirs, but where it was thrown", () => {
  expect(server.failures.length).toBeGreaterThanOrEqual(ways.length);
  expect(JSON.stringify(server.lines)).not.toContain(SECRET);
  const [first] = server.failures.filter(({ queue }) => queue === "way-0");
  expect(first).toMatchObject({ type: "TypeError" });
  expect(JSON.stringify(first?.frames)).toContain("failures.test.ts");
});

test("a note that is refused is an error of its own, and ends no server where nobody awaits it", async () => {
  const refused = [
    { event: "order.finished", data: {} },
    { event: "a/b", data: { text: "x".repeat(1000) } },
    { event: "a/b", data: { text: "\ud83d" } },
    { event: "a/b", data: circular },
    { event: "a/b", data: { big: 1n } },
    { event: "a/b", data: JSON.parse("null") as Record<string, unknown> },
  ];
  const machine = defineMachine({
    queue: "notes",
    input: Type.Object({ at: Type.Integer(), isAwaited: Type.Boolean() }),
    output: Type.String(),
    make: async ({ at, isAwaited }, { note }) => {
      const { event, data } = refused[at] ?? fail("no such note");
      const noting = note(event, data);
      if (isAwaited) await noting;
      return "made";
    },
  });
  await using own = await MachineServer.open({ machines: [machine] });
  for (const at of refused.keys()) {
    expect(orderOf(await call(own, "notes", { at, isAwaited: false }))).toMatchObject({ result: "made" });
    expect(orderOf(await call(own, "notes", { at, isAwaited: true })).error).toMatch(/^an event's /);
  }
  expect(own.lines.filter(({ msg }) => msg === "a note of a machine's was refused")).toMatchObject([
    { queue: "notes", why: expect.stringMatching(/^an event's type/) as string },
  ]);
});

test("more than ten of a kind in a minute have no line each: one line counts them at the end", async () => {
  const machine = defineMachine({ queue: "bad", input: Type.Any(), output: Type.Any(), make: () => fail("bad") });
  const own = await MachineServer.open({ machines: [machine] });
  await Promise.all(Array.from({ length: 25 }, () => call(own, "bad", null)));
  expect(own.failures).toHaveLength(10);
  expect(await own.stop()).toEqual([]);
  expect(own.lines.filter(({ msg }) => msg === "a machine failed more orders")).toMatchObject([
    { queue: "bad", fault: "threw", orders: 15 },
  ]);
});
