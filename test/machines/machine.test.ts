/** The definition of a machine: what it may be, and that faults of it throw at once, in one sentence. */
import { describe, expect, test } from "bun:test";
import { FormatRegistry, Type } from "@sinclair/typebox";
import { defineMachine, isMachine, type MachineOptions } from "../../src/machines/machine.ts";
import { DEFAULT_QUEUE } from "../../src/orders/orders.ts";
import { isRetryLater, RetryLater } from "../../src/machines/retry-later.ts";

const Input = Type.Object({ a: Type.Number() });
const Output = Type.Object({ sum: Type.Number() });
type Options = MachineOptions<typeof Input, typeof Output>;

const GOOD: Options = { queue: "adder", input: Input, output: Output, make: ({ a }) => ({ sum: a }) };

/** What defining it throws; TypeScript would refuse most of these before. */
function faultOf(own: Record<string, unknown>): string {
  try {
    defineMachine({ ...GOOD, ...own });
    return "none";
  } catch (error) {
    expect(error).toBeInstanceOf(TypeError);
    return (error as TypeError).message;
  }
}

test("a machine has what it was defined with, and defaults", () => {
  const machine = defineMachine(GOOD);
  expect(machine).toMatchObject({ queue: "adder", input: Input, output: Output, concurrency: 1, timeoutSeconds: 300 });
  expect(machine.rules).toEqual({});
  expect(isMachine(machine)).toBe(true);
  expect([GOOD, null, "adder", () => {}].some(isMachine)).toBe(false);
  const own = defineMachine({ ...GOOD, concurrency: 8, capacity: 5, leaseSeconds: 30 });
  expect(own).toMatchObject({ concurrency: 8, rules: { capacity: 5, leaseSeconds: 30 } });
});

test("what it makes is typed by its schemas", async () => {
  const machine = defineMachine({
    ...GOOD,
    make: ({ a }) => {
      const sum: number = a + 1;
      return { sum };
    },
  });
  // @ts-expect-error no number
  expect(() => defineMachine({ ...GOOD, make: ({ a }) => ({ sum: String(a) }) })).not.toThrow();
  // @ts-expect-error no such input
  expect(() => defineMachine({ ...GOOD, make: ({ b }) => ({ sum: Number(b) }) })).not.toThrow();
  expect(machine.checkInput({ a: 1 })).toEqual([]);
});

describe("a fault throws when it is defined:", () => {
  test.each([
    [{ queue: undefined }, "machine: queue must be 1 to 64 letters, digits, _ or -"],
    [{ queue: DEFAULT_QUEUE }, `machine: queue ${DEFAULT_QUEUE} is the counter's queue: choose another name`],
    [{ queue: "" }, 'machine: queue "" must be 1 to 64 letters, digits, _ or -'],
    [{ queue: "my queue" }, 'machine: queue "my queue" must be 1 to 64 letters, digits, _ or -'],
    [{ queue: "a".repeat(65) }, /^machine: queue "a+" must be 1 to 64 letters/],
    [{ concurrency: 0 }, "machine adder: concurrency must be a whole number from 1 to 1000, not 0"],
    [{ concurrency: 1001 }, /not 1001$/],
    [{ concurrency: 1.5 }, /not 1.5$/],
    [{ concurrency: Number.NaN }, /not NaN$/],
    [{ timeoutSeconds: 0 }, "machine adder: timeoutSeconds must be a number from 0.01 to 86400, not 0"],
    [{ timeoutSeconds: 86_401 }, /not 86401$/],
    [{ timeoutSeconds: "5" }, /^machine adder: timeoutSeconds must be a number/],
    [{ timeoutSeconds: Infinity }, /not Infinity$/],
    [{ capacity: 0 }, /^machine adder: capacity must be/],
    [{ leaseSeconds: 0 }, /^machine adder: leaseSeconds must be/],
    [{ maxAttempts: -1 }, /^machine adder: maxAttempts must be/],
    [{ timeout: 5 }, "machine adder: timeout is no option of a machine"],
    [{ make: undefined }, "machine adder: make must be a function"],
    [{ input: undefined }, "machine adder: input must be a TypeBox schema, such as Type.Object({…})"],
    [{ input: { type: "object" } }, /^machine adder: input must be a TypeBox schema/],
    [{ output: "number" }, /^machine adder: output must be a TypeBox schema/],
    [{ output: { ...Output, [Symbol.for("TypeBox.Kind")]: "Nonsense" } }, /^machine adder: output can't be compiled/],
    [
      { input: Type.Object({ at: Type.Array(Type.String({ format: "moon" })) }) },
      /^machine adder: input names the format moon: /,
    ],
  ])("%j", (own, wanted) => {
    const fault = faultOf(own);
    if (typeof wanted === "string") expect(fault).toBe(wanted);
    else expect(fault).toMatch(wanted);
  });

  test("a format that was set is known", () => {
    FormatRegistry.Set("sun", () => true);
    expect(faultOf({ input: Type.String({ format: "sun" }) })).toBe("none");
    FormatRegistry.Delete("sun");
  });
});

test("faults of a value name their field, and do not repeat it", () => {
  const { checkInput, checkOutput } = defineMachine({
    ...GOOD,
    input: Type.Object(
      { a: Type.Integer({ description: "a whole number" }), b: Type.String() },
      { additionalProperties: false },
    ),
    make: () => ({ sum: 1 }),
  });
  expect(checkInput({ a: "secret", c: 1 })).toEqual([
    { field: "b", detail: "is missing" },
    { field: "c", detail: "is not known here: leave it out" },
    { field: "a", detail: "must be a whole number" },
  ]);
  expect(checkInput("secret")).toEqual([{ field: "body", detail: "is wrong: expected object" }]);
  expect(checkOutput({ sum: "secret" })).toEqual([{ field: "sum", detail: "is wrong: expected number" }]);
});

test("a RetryLater has seconds in range or none, and is known by its name", () => {
  expect(new RetryLater()).toMatchObject({ seconds: undefined });
  expect(new RetryLater(0.5, "the oven is cold")).toMatchObject({ seconds: 0.5, message: "the oven is cold" });
  for (const seconds of [-1, 86_401, Number.NaN, Infinity]) expect(() => new RetryLater(seconds)).toThrow(RangeError);
  expect(isRetryLater(Object.assign(new Error("later"), { name: "RetryLater", seconds: 3 }))).toBe(true);
  const endless = Object.assign(new Error("later"), { name: "RetryLater", seconds: Infinity });
  for (const other of [endless, new Error("later"), "RetryLater", { name: "RetryLater", seconds: 3 }])
    expect(isRetryLater(other)).toBe(false);
});
